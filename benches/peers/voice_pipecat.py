#!/usr/bin/env python3
"""How long a frame of 20 ms of sound takes through eleven processors of Pipecat.

Usage: voice_pipecat.py FRAMES        (prints one JSON line: p50_us, p99_us, p50_us of uvloop's where that is there)

A frame is 320 samples of 16 kHz, one every 20 ms, as `PipelineTask` takes them; its age is from the call that queues it to
the last processor. The processors hand frames on and do nothing else, which is the least that any can do. Every frame
must arrive, in order and unchanged.
"""

import asyncio
import json
import logging
import sys
import time

from loguru import logger

logger.remove()
logging.disable(logging.CRITICAL)

from pipecat.frames.frames import EndFrame, InputAudioRawFrame  # noqa: E402
from pipecat.pipeline.pipeline import Pipeline  # noqa: E402
from pipecat.pipeline.runner import PipelineRunner  # noqa: E402
from pipecat.pipeline.task import PipelineParams, PipelineTask  # noqa: E402
from pipecat.processors.frame_processor import FrameProcessor  # noqa: E402

PROCESSORS = 11
SAMPLES = 320
PERIOD_S = 0.02
WARM = 50


class HandsOn(FrameProcessor):
    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)


class Last(FrameProcessor):
    def __init__(self):
        super().__init__()
        self.seen = []

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            number = int.from_bytes(frame.audio[:4], "little")
            self.seen.append((number, time.perf_counter() - frame.queued, len(frame.audio)))
        await self.push_frame(frame, direction)


async def run(frames):
    last = Last()
    processors = [HandsOn() for _ in range(PROCESSORS - 1)] + [last]
    params = PipelineParams(enable_metrics=False, enable_usage_metrics=False)
    task = PipelineTask(Pipeline(processors), params=params, idle_timeout_secs=None)

    async def feed():
        await asyncio.sleep(0.5)
        began = time.perf_counter()
        for number in range(frames):
            await asyncio.sleep(max(0.0, began + number * PERIOD_S - time.perf_counter()))
            audio = number.to_bytes(4, "little") + bytes(2 * SAMPLES - 4)
            frame = InputAudioRawFrame(audio=audio, sample_rate=16000, num_channels=1)
            frame.queued = time.perf_counter()
            await task.queue_frame(frame)
        await task.queue_frame(EndFrame())

    await asyncio.gather(PipelineRunner(handle_sigint=False).run(task), feed())
    numbers = [(number, size) for number, _, size in last.seen]
    assert numbers == [(number, 2 * SAMPLES) for number in range(frames)], "all, in order, unchanged"
    ages = sorted(1e6 * age for _, age, _ in last.seen[WARM:])
    return {"p50_us": ages[len(ages) // 2], "p99_us": ages[len(ages) * 99 // 100]}


def main():
    frames = int(sys.argv[1]) + WARM
    told = asyncio.run(run(frames))
    try:
        import uvloop
    except ImportError:
        pass
    else:
        other = uvloop.run(run(frames))
        told = min(told, other, key=lambda figures: figures["p50_us"])
    print(json.dumps(told))


main()
