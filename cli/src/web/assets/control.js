// What may be done to the run, where `--allow-control` says so: knobs, pause, the end.

import { element, say } from "./words.js";

/** The buttons above the graph. */
export class Controls {
  constructor(host, stream) {
    this.host = host;
    this.stream = stream;
    this.said = element("output", { class: "warn" });
    this.pause = this.#button("Pause", "Hold the sources of all sessions", () => (this.isPaused ? { do: "resume" } : { do: "pause" }));
    this.finish = this.#button("Finish", "End the sources and finish what is inside", () => ({ do: "finish" }));
    this.stop = this.#button("Stop", "End now; what is inside is dropped, and counted", () => ({ do: "stop" }), true);
    host.replaceChildren(this.pause, this.finish, this.stop, this.said);
    host.hidden = false;
  }

  #button(text, title, asked, isGrave = false) {
    const button = element("button", { type: "button", title, class: isGrave ? "grave" : null });
    say(button, text);
    let isSure = false;
    button.addEventListener("click", async () => {
      if (isGrave && !isSure) {
        // The second press within three seconds does it.
        isSure = true;
        say(button, "Stop now?");
        setTimeout(() => {
          isSure = false;
          say(button, text);
        }, 3000);
        return;
      }
      button.disabled = true;
      say(this.said, "");
      try {
        await this.stream.control(asked());
      } catch (error) {
        say(this.said, error.message);
      } finally {
        button.disabled = false;
      }
    });
    return button;
  }

  show(now) {
    this.isPaused = now.stages.some(({ states }) => states.some(([state]) => state === "paused"));
    say(this.pause, this.isPaused ? "Resume" : "Pause");
    this.finish.disabled = now.is_draining;
  }

  end() {
    this.host.hidden = true;
  }
}

/** A field by which a live parameter is set; `value` is what it is by now. */
export function knob(param, value, set) {
  const said = element("output", { class: "said", role: "status" });
  const name = `knob-${param.name}`;
  const number = param.min !== null || param.max !== null || /^-?[\d.]+(e-?\d+)?$/i.test(value);
  const words = param.choices.length ? param.choices : ["true", "false"].includes(value) ? ["true", "false"] : null;
  const field = words
    ? element("select", { id: name }, ...words.map((word) => element("option", { value: word }, word)))
    : element("input", { id: name, type: number ? "number" : "text", step: "any", min: param.min, max: param.max, size: 8 });
  field.value = value.replace(/^"|"$/g, "");
  const button = element("button", { type: "submit" }, "Set");
  const form = element("form", { class: "knob", title: param.doc, onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      // A number of a kind that takes fractions may be written without one.
      await set(field.value);
      say(said, "set");
      said.className = "said good";
    } catch (error) {
      say(said, error.message);
      said.className = "said warn";
    } finally {
      button.disabled = false;
    }
  } }, field, button, said);
  return form;
}
