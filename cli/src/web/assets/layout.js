// Where nodes stand: layers along the flow, so that every edge leads forward, and as few crossings as a few sweeps find.

/**
 * Of `nodes` (names) and `edges` ({from, to} by number) the place of each node and the points of each edge. `size` says how
 * large nodes are and what lies between them; with `isTall` the flow goes down, else to the right.
 */
export function layout(count, edges, size, isTall) {
  const layer = layers(count, edges);
  const depth = Math.max(0, ...layer) + 1;
  // An edge over several layers passes each in a place of its own, so that it crosses no node.
  const items = Array.from({ length: count }, (_, node) => ({ node, layer: layer[node] }));
  const chains = edges.map(({ from, to }, edge) => {
    const chain = [from];
    for (let at = layer[from] + 1; at < layer[to]; at += 1) {
      items.push({ edge, layer: at });
      chain.push(items.length - 1);
    }
    return [...chain, to];
  });
  const rows = Array.from({ length: depth }, () => []);
  items.forEach((item, number) => rows[item.layer].push(number));
  const before = items.map(() => []);
  const behind = items.map(() => []);
  for (const chain of chains) {
    for (let n = 1; n < chain.length; n += 1) {
      before[chain[n]].push(chain[n - 1]);
      behind[chain[n - 1]].push(chain[n]);
    }
  }
  ordered(rows, before, behind);
  const thick = (number) => (items[number].node === undefined ? (isTall ? size.passTall : size.pass) : (isTall ? size.width : size.height));
  const across = spread(rows, before, behind, thick, isTall ? size.gapTall : size.gap);
  const along = (at) => at * (isTall ? size.height + size.stepTall : size.width + size.step);
  let [least, most] = [Infinity, -Infinity];
  items.forEach((_, n) => {
    least = Math.min(least, across[n] - thick(n) / 2);
    most = Math.max(most, across[n] + thick(n) / 2);
  });
  const place = (number) => (isTall
    ? { x: across[number] - least, y: along(items[number].layer) + size.height / 2 }
    : { x: along(items[number].layer) + size.width / 2, y: across[number] - least });
  const length = along(depth - 1) + (isTall ? size.height : size.width);
  return {
    width: isTall ? most - least : length,
    height: isTall ? length : most - least,
    nodes: items.slice(0, count).map((_, number) => place(number)),
    edges: chains.map((chain) => ({
      path: path(chain, place, items, size, isTall),
      label: labelled(chain, place, size, isTall, edges),
    })),
  };
}

/** The layer of each node: behind those of all its producers; a source right before its first consumer. */
function layers(count, edges) {
  const layer = new Array(count).fill(0);
  // Producers come before consumers in the list of nodes, so that one pass in the order of consumers is enough.
  for (const { from, to } of [...edges].sort((a, b) => a.to - b.to)) {
    layer[to] = Math.max(layer[to], layer[from] + 1);
  }
  const isFed = new Set(edges.map(({ to }) => to));
  for (let node = 0; node < count; node += 1) {
    const consumers = edges.filter(({ from }) => from === node).map(({ to }) => layer[to]);
    if (!isFed.has(node) && consumers.length) layer[node] = Math.min(...consumers) - 1;
  }
  return layer;
}

/** Puts each row in the order of the middles of what leads to it, forth and back a few times. */
function ordered(rows, before, behind) {
  const place = [];
  const number = () => rows.forEach((row) => row.forEach((item, n) => { place[item] = n; }));
  number();
  const middle = (of, item) => (of.length ? of.reduce((sum, other) => sum + place[other], 0) / of.length : place[item]);
  for (let sweep = 0; sweep < 6; sweep += 1) {
    const near = sweep % 2 ? behind : before;
    for (const row of sweep % 2 ? [...rows].reverse() : rows) {
      const rank = new Map(row.map((item) => [item, middle(near[item], item)]));
      row.sort((a, b) => rank.get(a) - rank.get(b));
      number();
    }
  }
}

/** Moves items towards the middle of their neighbours, as far as those beside them allow. */
function spread(rows, before, behind, thick, gap) {
  const at = [];
  for (const row of rows) {
    let next = 0;
    for (const item of row) {
      at[item] = next + thick(item) / 2;
      next += thick(item) + gap;
    }
    row.forEach((item) => { at[item] -= (next - gap) / 2; });
  }
  for (let round = 0; round < 12; round += 1) {
    for (const row of round % 2 ? [...rows].reverse() : rows) {
      const wish = row.map((item) => {
        const near = [...before[item], ...behind[item]];
        return near.length ? near.reduce((sum, other) => sum + at[other], 0) / near.length : at[item];
      });
      const apart = (a, b) => (thick(a) + thick(b)) / 2 + gap;
      const down = [...wish];
      const up = [...wish];
      for (let n = 1; n < row.length; n += 1) down[n] = Math.max(down[n], down[n - 1] + apart(row[n - 1], row[n]));
      for (let n = row.length - 2; n >= 0; n -= 1) up[n] = Math.min(up[n], up[n + 1] - apart(row[n], row[n + 1]));
      row.forEach((item, n) => { at[item] = (down[n] + up[n]) / 2; });
    }
  }
  return at;
}

/**
 * Where a few letters of an edge stand, clear of others: along the first layer that it passes; else beside its beginning, or
 * beside its end where several begin together.
 */
function labelled(chain, place, size, isTall, edges) {
  const [first, next] = [place(chain[0]), place(chain[1])];
  const [halfX, halfY] = [size.width / 2, size.height / 2];
  const isAlone = edges.filter(({ from }) => from === chain[0]).length === 1;
  const ends = edges.filter(({ to }) => to === chain[1]).length;
  if (isTall) {
    if (chain.length > 2) return { x: next.x + 5, y: next.y };
    return isAlone || ends > 1 ? { x: first.x + 5, y: first.y + halfY + 13 } : { x: next.x + 6, y: next.y - halfY - 8 };
  }
  if (chain.length > 2) return { x: next.x - halfX + 6, y: next.y - 6 };
  const rises = next.y < first.y - 4;
  if (isAlone || ends > 1) return { x: first.x + halfX + 6, y: first.y + (rises ? 15 : -6) };
  return { x: next.x - halfX - 10, y: next.y + (rises ? -6 : 15), "text-anchor": "end" };
}

/** The path of an edge. */
function path(chain, place, items, size, isTall) {
  const half = isTall ? size.height / 2 : size.width / 2;
  const first = place(chain[0]);
  const begin = isTall ? { x: first.x, y: first.y + half } : { x: first.x + half, y: first.y };
  let text = `M${begin.x},${begin.y}`;
  let from = begin;
  for (const number of chain.slice(1)) {
    const to = place(number);
    const isNode = items[number].node !== undefined;
    const [enter, leave] = isTall
      ? [{ x: to.x, y: to.y - half }, { x: to.x, y: to.y + half }]
      : [{ x: to.x - half, y: to.y }, { x: to.x + half, y: to.y }];
    const middle = isTall ? (from.y + enter.y) / 2 : (from.x + enter.x) / 2;
    text += isTall
      ? ` C${from.x},${middle} ${enter.x},${middle} ${enter.x},${enter.y}`
      : ` C${middle},${from.y} ${middle},${enter.y} ${enter.x},${enter.y}`;
    if (!isNode) text += ` L${leave.x},${leave.y}`;
    from = leave;
  }
  return text;
}
