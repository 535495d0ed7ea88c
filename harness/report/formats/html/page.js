"use strict";
// What can be clicked, and the figures. Every text goes in as text: nothing here makes markup of one.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const make = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const tip = document.getElementById("tip");

  // ---- numbers as a reader takes them

  const digits = (value) => {
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size >= 1e15 || size < 1e-6) return value.toExponential(1);
    if (size >= 999.5) return Math.round(value).toLocaleString("en");
    return String(Number(value.toPrecision(3)));
  };
  const quantity = (value, unit) => {
    const size = Math.abs(value);
    if (unit.endsWith("seconds")) {
      const [scale, name] = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]].find(([least]) => size >= least * 0.9995) || [1e-9, "ns"];
      return value === 0 ? "0 s" : `${digits(value / scale)} ${name}`;
    }
    if (unit === "bytes") {
      let power = 0, rest = value;
      while (Math.abs(rest) >= 1023.5 && power < 4) { rest /= 1024; power += 1; }
      return `${digits(rest)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
    }
    return unit === "x" ? `${digits(value)}x` : digits(value);
  };
  const change = (ratio) => ratio >= 10 ? `x${digits(ratio)}` : `${ratio > 1 ? "+" : ""}${digits(100 * (ratio - 1))} %`;

  // ---- figures

  const drawings = JSON.parse(document.getElementById("figures").textContent);
  const colour = (index) => `var(--line-${index % 8})`;
  const symbols = ["circle", "square", "triangle", "diamond", "cross", "star", "wye", "hexagon"];
  const symbol = (index) => symbols[index % symbols.length];
  const shown = { relative: true };

  function legend(names, isLine) {
    const box = make("div", { className: "legend" });
    box.setAttribute("aria-hidden", "true");
    names.forEach((name, index) => {
      const sample = Plot.plot({ width: 14, height: 12, margin: 0, axis: null, x: { domain: [0, 1] }, y: { domain: [0, 1] }, marks: [
        isLine
          ? Plot.dot([0], { x: 0.5, y: 0.5, r: 4, fill: colour(index), symbol: symbol(index) })
          : Plot.rect([0], { x1: 0, x2: 1, y1: 0, y2: 1, fill: `var(--part-${index % 6})` }),
      ] });
      sample.querySelector("style")?.remove();
      box.append(make("span", {}, sample, name));
    });
    return box;
  }

  // Changes that an axis names: none, and whole percents between its ends, four or so.
  const steps = (low, high) => {
    const size = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 10000].find((step) => (100 * (high - low)) / step < 5) || 100000;
    const first = Math.ceil((100 * (low - 1)) / size), last = Math.floor((100 * (high - 1)) / size);
    return Array.from({ length: last - first + 1 }, (_, at) => 1 + ((first + at) * size) / 100).filter((ratio) => ratio > 0);
  };
  // Round numbers of a unit: of bytes in steps of KiB, MiB, …; a power of ten each on a logarithmic axis.
  const ticks = ([low, high], unit, isLog, number) => {
    const scale = unit === "bytes" && high >= 1024 ? 1024 ** Math.min(4, Math.floor(Math.log2(isLog ? low || 1 : high) / 10)) : 1;
    if (!isLog) return d3.ticks(low / scale, high / scale, number).map((tick) => tick * scale);
    const found = [];
    for (let unit_of = scale; unit_of <= high; unit_of *= unit === "bytes" ? 1024 : 1000) found.push(unit_of, unit_of * 10, unit_of * 100);
    const inside = found.filter((tick) => tick >= low && tick <= high);
    const step = Math.ceil(inside.length / Math.max(2, number));
    return inside.filter((_, at) => at % step === 0);
  };
  const ladder = (low, high) => (low > 0 && high / low > 8 ? "log" : "linear");
  const short = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 9))}…${text.slice(-8)}` : text);

  const draw = {
    courses(data, width) {
      const many = data.places.length;
      const rows = data.lines.flatMap((line, index) => line.points.map(([place, value, low, high, told]) => ({
        place, value, low, high, line: line.name, index, base: line.points[0][1], told: told || `${data.places[place]}: ${quantity(value, data.unit)}`,
      })));
      const relative = shown.relative && rows.every((row) => row.base > 0);
      const by = (row, name) => (row[name] === null ? null : relative ? row[name] / row.base : row[name]);
      const found = data.marks.map((mark) => ({ ...mark, at: rows.find((row) => row.line === mark.line && row.place === mark.place) })).filter((mark) => mark.at);
      const ends = rows.flatMap((row) => [by(row, "value"), by(row, "low"), by(row, "high")]).filter((value) => value !== null);
      const [low, high] = [Math.min(...ends), Math.max(...ends)];
      const step = Math.ceil(many / Math.max(2, Math.floor(width / 62)));
      const room = relative ? { domain: [Math.min(low, 0.95), Math.max(high, 1.05)] } : low > 0 && ladder(low, high) === "log" ? { domain: [low, high] } : { domain: [Math.min(0, low), high || 1] };
      return Plot.plot({
        width, height: 190, marginLeft: 54, marginRight: 26, marginBottom: 26, marginTop: 14,
        x: { domain: [-0.2, many - 0.8], ticks: data.places.map((_, place) => place).filter((place) => (many - 1 - place) % step === 0), tickFormat: (place) => short(data.places[place], 12), label: null, tickSize: 0 },
        y: { ...room, type: relative ? (low > 0 ? ladder(low, high) : "linear") : low > 0 ? ladder(low, high) : "linear", grid: true, ticks: 4, tickFormat: relative ? (value) => (value === 1 ? "0" : change(value)) : (value) => quantity(value, data.unit), label: null, tickSize: 0 },
        marks: [
          relative ? Plot.ruleY([1], { stroke: "var(--same)" }) : null,
          Plot.ruleX(rows.filter((row) => row.low !== null), { x: "place", y1: (row) => by(row, "low"), y2: (row) => by(row, "high"), stroke: (row) => colour(row.index), strokeOpacity: 0.55, strokeWidth: 3 }),
          Plot.line(rows, { x: "place", y: (row) => by(row, "value"), z: "line", stroke: (row) => colour(row.index), strokeWidth: 1.5 }),
          many > 60 ? null : Plot.dot(rows, { x: "place", y: (row) => by(row, "value"), fill: (row) => colour(row.index), symbol: (row) => symbol(row.index), r: 3, className: "point", ariaLabel: (row) => `${row.line ? `${row.line}\n` : ""}${row.told}` }),
          Plot.text(found, { x: (mark) => mark.at.place, y: (mark) => by(mark.at, "value"), text: (mark) => (mark.is_worse ? "▲" : "▼"), fill: (mark) => (mark.is_worse ? "var(--worse)" : "var(--better)"), dy: -12, fontSize: 13, className: "point", ariaLabel: (mark) => mark.told }),
        ],
        color: { type: "identity" }, symbol: { type: "identity" },
      });
    },

    stack(data, width) {
      const bars = data.bars.map((bar, place) => ({ ...bar, place, sum: bar.lengths.reduce((sum, length) => sum + (length || 0), 0) }));
      const parts = bars.flatMap((bar) => {
        let from = 0;
        return bar.lengths.map((length, index) => {
          const start = from;
          from += length || 0;
          return { bar, index, start, end: from, told: `${bar.group} ${bar.name}\n${data.parts[index]}: ${quantity(length || 0, data.unit)} of ${quantity(bar.sum, data.unit)}` };
        });
      }).filter((part) => part.end > part.start);
      const groups = [...new Set(bars.map((bar) => bar.group))];
      const room = (names, most) => Math.min(most, 7 * Math.max(...names.map((name) => name.length)));
      const [outer, inner] = width < 500 ? [room(groups, 84), room(bars.map((bar) => bar.name), 56)] : [room(groups, 190), room(bars.map((bar) => bar.name), 110)];
      const left = outer + inner + 22;
      return Plot.plot({
        width, marginLeft: left, marginRight: 62, marginTop: 4, marginBottom: 4,
        fy: { domain: groups, label: null, axis: null, padding: 0.2 },
        y: { domain: data.names, label: null, tickSize: 0, tickFormat: (name) => short(name, Math.floor(inner / 6.4)), padding: 0.14 },
        x: { axis: null, domain: [0, Math.max(...bars.map((bar) => bar.sum)) || 1] },
        height: 8 + groups.length * (data.names.length * 21 + 12),
        marks: [
          Plot.text(groups, { fy: (group) => group, text: (group) => short(group, Math.floor(outer / 6.4)), frameAnchor: "top-left", textAnchor: "start", dx: -left, dy: 9, fill: "var(--ink)", fontSize: 12 }),
          Plot.barX(parts, { fy: (part) => part.bar.group, y: (part) => part.bar.name, x1: "start", x2: "end", fill: (part) => `var(--part-${part.index % 6})`, insetRight: 1, className: "point", ariaLabel: "told" }),
          Plot.text(bars, { fy: "group", y: "name", x: "sum", text: (bar) => quantity(bar.sum, data.unit), textAnchor: "start", dx: 6, fill: "var(--quiet)", fontSize: 12 }),
        ],
        color: { type: "identity" },
      });
    },

    levels(data, width) {
      const rows = data.rows.flatMap((row, place) => row.values.map((value, index) => ({ value, index, place, row: row.row, told: row.told[index] })).filter((one) => one.value !== null && (!data.is_log || one.value > 0)));
      const names = data.rows.map((row) => row.row);
      const left = Math.min(width * 0.45, 12 + 6.4 * Math.max(...names.map((name) => name.length)));
      const values = rows.map((row) => row.value);
      const label = (place) => short(names[place], Math.floor(left / 6.6));
      return Plot.plot({
        width, height: 36 + 20 * names.length, marginLeft: left, marginRight: 24, marginTop: 22, marginBottom: 4,
        y: { type: "point", domain: names.map((_, place) => place), tickFormat: label, label: null, tickSize: 0, grid: true },
        x: { type: data.is_log ? "log" : "linear", domain: data.ends || (data.is_log ? [Math.min(...values), Math.max(...values)] : [0, Math.max(...values) || 1]), axis: "top", grid: true, ticks: ticks(data.ends || (data.is_log ? [Math.min(...values), Math.max(...values)] : [0, Math.max(...values)]), data.unit, data.is_log, Math.round(width / 110)), tickFormat: (value) => quantity(value, data.unit), label: null, tickSize: 0 },
        marks: [
          data.unit === "x" ? Plot.ruleX([1], { stroke: "var(--ink)" }) : null,
          Plot.ruleY(Object.values(Object.groupBy(rows, (row) => row.place)).filter((some) => some.length > 1), { y: (some) => some[0].place, x1: (some) => Math.min(...some.map((one) => one.value)), x2: (some) => Math.max(...some.map((one) => one.value)), stroke: "var(--same)", strokeWidth: 1.5 }),
          Plot.dot(rows, { x: "value", y: "place", fill: (row) => colour(row.index), symbol: (row) => symbol(row.index), r: 4, className: "point", ariaLabel: (row) => `${row.row}\n${row.told}` }),
        ],
        color: { type: "identity" }, symbol: { type: "identity" },
      });
    },

    pairs(data, width) {
      const blocks = data.pairs.map((pair, place) => ({ ...pair, place }));
      const whole = blocks.filter((pair) => pair.old !== null && pair.new !== null);
      const tone = data.tone === "worse" || data.tone === "better" ? `var(--${data.tone})` : "var(--same)";
      const sides = blocks.flatMap((pair) => ["old", "new"].filter((side) => pair[side] !== null).map((side) => ({
        x: pair.place + (side === "old" ? -0.18 : 0.18), value: pair[side], isNew: side === "new",
        told: `block ${pair.block + 1}, ${data[side]}\n${quantity(pair[side], data.unit)}${pair.old > 0 && pair.new !== null ? `, the pair differs by ${change(pair.new / pair.old)}` : ""}`,
      })));
      const values = sides.map((side) => side.value);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const pad = (high - low || high || 1) * 0.12;
      const wide = Math.min(width, 640);
      const x = (label) => ({ domain: [-0.6, blocks.length - 0.4], ticks: blocks.map((_, place) => place), tickFormat: (place) => (label && blocks[place] && blocks.length < 40 ? String(blocks[place].block + 1) : ""), label: label || null, labelAnchor: "center", labelArrow: "none", tickSize: 0 });
      const values_of = Plot.plot({
        width: wide, height: 160, marginLeft: 64, marginTop: 10, marginBottom: 12, x: x(""),
        y: { domain: [low - pad, high + pad], grid: true, ticks: 4, tickFormat: (value) => quantity(value, data.unit), label: null, tickSize: 0 },
        marks: [
          Plot.link(whole, { x1: (pair) => pair.place - 0.18, x2: (pair) => pair.place + 0.18, y1: "old", y2: "new", stroke: "var(--same)" }),
          Plot.dot(sides, { x: "x", y: "value", r: 4.5, fill: (side) => (side.isNew ? tone : "var(--page)"), stroke: (side) => (side.isNew ? tone : "var(--same)"), strokeWidth: 1.8, className: "point", ariaLabel: "told" }),
        ],
        color: { type: "identity" },
      });
      const ratios = whole.filter((pair) => pair.old > 0 && pair.new > 0).map((pair) => ({ place: pair.place, ratio: pair.new / pair.old, told: `block ${pair.block + 1}\n${change(pair.new / pair.old)}` }));
      if (!ratios.length || data.ratio === null) return [values_of];
      const edges = [1 / (1 + data.margin), 1 + data.margin];
      const ends = [...edges, ...ratios.map((one) => one.ratio), data.low ?? 1, data.high ?? 1];
      const all_of = [-0.6, blocks.length - 0.4];
      return [values_of, Plot.plot({
        width: wide, height: 130, marginLeft: 64, marginTop: 8, marginBottom: 34, x: x("block"),
        y: { type: "log", domain: [Math.min(...ends) / 1.02, Math.max(...ends) * 1.02], ticks: steps(Math.min(...ends), Math.max(...ends)), tickFormat: (value) => (value === 1 ? "0" : change(value)), label: null, tickSize: 0 },
        marks: [
          Plot.rect([0], { x1: all_of[0], x2: all_of[1], y1: edges[0], y2: edges[1], fill: "var(--band)" }),
          Plot.ruleY([1], { stroke: "var(--same)" }),
          data.low === null ? null : Plot.rect([0], { x1: all_of[0], x2: all_of[1], y1: data.low, y2: data.high ?? ends.at(-1), fill: tone, fillOpacity: 0.22 }),
          Plot.ruleY([data.ratio], { stroke: tone, strokeWidth: 1.5 }),
          Plot.dot(ratios, { x: "place", y: "ratio", r: 3.5, fill: tone, className: "point", ariaLabel: "told" }),
        ],
        color: { type: "identity" },
      })];
    },

    growth(data, width) {
      const ends = [Math.min(...data.sizes.map((one) => one.size)), Math.max(...data.sizes.map((one) => one.size))];
      const fitted = ends.map((size) => ({ size, cost: data.constant * size ** data.exponent }));
      return Plot.plot({
        width, height: 190, marginLeft: 56, marginBottom: 34, marginTop: 16, marginRight: 20,
        x: { type: "log", ticks: data.size_unit === "bytes" ? ticks(ends, "bytes", true, 4) : 3, tickFormat: (value) => quantity(value, data.size_unit), label: data.size_unit === "bytes" ? "size" : data.size_unit, labelArrow: "none", tickSize: 0 },
        y: { type: "log", grid: true, ticks: 3, tickFormat: (value) => quantity(value, data.unit), label: null, tickSize: 0 },
        marks: [
          Plot.line(fitted, { x: "size", y: "cost", stroke: "var(--same)", strokeDasharray: "4 3" }),
          Plot.dot(data.sizes, { x: "size", y: "cost", r: 4, fill: "var(--line-0)", className: "point", ariaLabel: (one) => `${one.name}\n${quantity(one.size, data.size_unit)}: ${quantity(one.cost, data.unit)}` }),
        ],
      });
    },

    timeline(data, width) {
      const steps = data.steps.map(([at, bytes]) => ({ at, bytes, told: `after ${quantity(at, "seconds")}\n${quantity(bytes, "bytes")}` }));
      const stretches = data.stretches.map(([name, from, to], index) => ({ name, from, to, index }));
      return Plot.plot({
        width, height: 210, marginLeft: 64, marginTop: 26, marginBottom: 28,
        x: { tickFormat: (value) => quantity(value, "seconds"), label: null, tickSize: 0, ticks: width < 500 ? 4 : 8 },
        y: { grid: true, domain: [0, Math.max(...steps.map((step) => step.bytes)) * 1.05 || 1], ticks: 4, tickFormat: (value) => quantity(value, "bytes"), label: null, tickSize: 0 },
        marks: [
          Plot.rectX(stretches, { x1: "from", x2: "to", fill: (one) => (one.index % 2 ? "var(--page)" : "var(--band)"), className: "point", ariaLabel: (one) => `${one.name}\n${quantity(one.from, "seconds")} to ${quantity(one.to, "seconds")}` }),
          Plot.text(stretches.filter((one) => ((one.to - one.from) / (steps.at(-1)?.at || 1)) * width > 7 * one.name.length), { x: "from", frameAnchor: "top", dy: -14, text: "name", textAnchor: "start", fill: "var(--quiet)" }),
          Plot.line(steps, { x: "at", y: "bytes", curve: "step-after", stroke: "var(--line-0)", strokeWidth: 1.8 }),
          Plot.dot(steps, { x: "at", y: "bytes", r: 2.5, fill: "var(--line-0)", className: "point", ariaLabel: "told" }),
        ],
        color: { type: "identity" },
      });
    },
  };

  const legends = {
    courses: (data) => (data.lines.length > 1 ? legend(data.lines.map((line) => line.name), true) : null),
    stack: (data) => legend(data.parts, false),
    levels: (data) => (data.names.length > 1 ? legend(data.names, true) : null),
  };

  function drawIn(box) {
    const data = drawings[Number(box.dataset.figure)];
    const width = Math.max(260, Math.floor(box.clientWidth || 640));
    if (box.dataset.width === `${width}${shown.relative}`) return;
    box.dataset.width = `${width}${shown.relative}`;
    all(":scope > svg, :scope > .legend", box).forEach((old) => old.remove());
    const key = legends[data.kind]?.(data);
    if (key) box.append(key);
    [draw[data.kind](data, width)].flat().forEach((picture) => {
      picture.querySelector("style")?.remove();
      picture.setAttribute("aria-hidden", "true");
      box.append(picture);
    });
    box.classList.add("drawn");
  }

  const boxes = all(".plot");
  if (boxes.length && window.Plot) {
    const watcher = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => drawIn(entry.target)), { rootMargin: "300px" });
    boxes.forEach((box) => watcher.observe(box));
    const redraw = () => boxes.filter((box) => box.dataset.width).forEach(drawIn);
    let later = 0;
    window.addEventListener("resize", () => { clearTimeout(later); later = setTimeout(redraw, 150); });
    window.addEventListener("beforeprint", () => boxes.filter((box) => box.checkVisibility()).forEach(drawIn));
    const courses = boxes.filter((box) => drawings[Number(box.dataset.figure)].kind === "courses");
    const grid = courses[0]?.closest(".figures");
    if (grid) {
      const group = make("div", { className: "tools chips" });
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", "What the courses show");
      const choices = [["change since the first", true], ["values", false]].map(([text, relative]) => {
        const button = make("button", { type: "button", textContent: text });
        button.setAttribute("aria-pressed", String(relative === shown.relative));
        button.addEventListener("click", () => {
          shown.relative = relative;
          choices.forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
          redraw();
        });
        return button;
      });
      group.append(...choices);
      grid.before(group);
    }
  }

  // ---- the evidence of a point: under the pointer, or by arrow keys from one to the next

  const points = (box) => all(".point [aria-label], [aria-label].point", box);
  function say(element, x, y) {
    tip.textContent = element ? element.getAttribute("aria-label") || element.dataset.tip || "" : "";
    if (!element) return;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(window.innerWidth - width - 8, x + 14))}px`;
    tip.style.top = `${y + 18 + height > window.innerHeight ? Math.max(4, y - height - 12) : y + 18}px`;
  }
  document.addEventListener("pointerover", (event) => {
    const over = event.target.closest?.(".plot .point [aria-label], [data-tip]");
    if (over || tip.textContent) say(over, event.clientX, event.clientY);
  });
  boxes.forEach((box) => {
    let here = -1;
    const leave = () => { all(".here", box).forEach((one) => one.classList.remove("here")); say(null); here = -1; };
    box.addEventListener("blur", leave);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { leave(); return; }
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      const found = points(box);
      if (!step || !found.length) return;
      event.preventDefault();
      all(".here", box).forEach((one) => one.classList.remove("here"));
      here = (here + step + found.length) % found.length;
      found[here].classList.add("point", "here");
      const place = found[here].getBoundingClientRect();
      say(found[here], place.right, place.bottom);
    });
  });

  // ---- tables: sorted, filtered, opened. A very long one has its first rows in the page, the others as data.

  const STEP = 200;
  all(".table").forEach((box) => {
    const table = box.querySelector("table"), body = table.tBodies[0];
    const tools = box.querySelector(".tools");
    const heads = [...table.tHead.rows[0].cells];
    const groups = all(":scope > tr.group", body);
    const original = [...body.children];
    const holder = box.querySelector(":scope > script.rest");
    const records = [
      ...all(":scope > tr:not(.more):not(.group)", body).map((row) => ({ row, more: row.id && document.getElementById(`${row.id}-more`) })),
      ...(holder ? JSON.parse(holder.textContent) : []).map(([tags, ...data]) => ({ tags, data })),
    ];
    let ordered = records, isSorted = false, limit = STEP / 2;

    const rowOf = (record) => {
      if (record.row) return record.row;
      record.row = make("tr", {}, ...record.data.map((cell, place) => {
        const element = make(place ? "td" : "th", { textContent: Array.isArray(cell) ? cell[0] : cell, className: heads[place].className });
        if (!place) element.scope = "row";
        return element;
      }));
      return record.row;
    };
    const textOf = (record) => (record.text ??= (record.data ? record.data.map((cell) => (Array.isArray(cell) ? cell[0] : cell)).join(" ") : record.row.textContent).toLowerCase());
    const tagsOf = (record) => (record.tags ?? record.row.dataset.tags ?? "").split("|");
    const key = (record, place) => {
      if (record.data) return Array.isArray(record.data[place]) ? record.data[place][1] : record.data[place].toLowerCase();
      const cell = record.row.cells[place];
      return cell.dataset.sort === undefined ? cell.textContent.trim().toLowerCase() : Number(cell.dataset.sort);
    };

    const setOpen = (record, isOpen) => {
      if (!record.more) return;
      record.row.querySelector("button.open").setAttribute("aria-expanded", String(isOpen));
      record.more.hidden = !isOpen || record.row.hidden;
    };
    const isOpen = (record) => record.row.querySelector("button.open").getAttribute("aria-expanded") === "true";
    records.filter((record) => record.more).forEach((record) => {
      setOpen(record, false);
      record.row.querySelector("button.open").addEventListener("click", () => setOpen(record, !isOpen(record)));
    });
    box.openRow = (row) => { row.hidden = false; setOpen(records.find((record) => record.row === row), true); };

    // Sorting: by a heading, once one way, once the other, then as it was.
    const order = (place, direction) => {
      heads.forEach((head, at) => (at === place && direction ? head.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending") : head.removeAttribute("aria-sort")));
      isSorted = Boolean(direction);
      table.classList.toggle("sorted", isSorted);
      ordered = !direction ? records : records.map((record) => [key(record, place), record]).sort(([one], [other]) => {
        if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
        return direction * (typeof one === "number" ? one - other : one.localeCompare(other, "en", { numeric: true }));
      }).map(([, record]) => record);
      if (!holder) body.append(...(direction ? [...ordered.flatMap((record) => (record.more ? [record.row, record.more] : [record.row])), ...groups] : original));
      show();
    };
    if (records.length > 1) heads.forEach((head, place) => {
      const text = [...head.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
      if (!text.some((node) => node.textContent.trim())) return;
      const button = make("button", { type: "button" }, ...text);
      head.prepend(button);
      const first = records.some((record) => typeof key(record, place) === "number") ? -1 : 1;
      button.addEventListener("click", () => {
        const now = { ascending: 1, descending: -1 }[head.getAttribute("aria-sort")] || 0;
        order(place, now === 0 ? first : now === first ? -first : 0);
      });
    });

    // Filtering: every group of chips narrows, and so does the text.
    const search = make("input", { type: "search", placeholder: "filter by words" });
    search.setAttribute("aria-label", `Filter ${tools.dataset.name} by words`);
    const count = make("span", { className: "quiet" });
    count.setAttribute("aria-live", "polite");
    const further = box.querySelector("button.further");
    function show() {
      const wanted = all(".chips[data-filter]", tools).map((group) => all("button[aria-pressed=true]", group).map((button) => button.dataset.tag)).filter((tags) => tags.length);
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (record) => wanted.every((some) => some.some((tag) => tagsOf(record).includes(tag))) && words.every((word) => textOf(record).includes(word));
      const found = ordered.filter(fits);
      if (holder) {
        body.replaceChildren(...found.slice(0, limit).map(rowOf));
        further.parentElement.firstChild.textContent = `${Math.min(limit, found.length)} of ${records.length} rows are shown. `;
        further.hidden = found.length <= limit;
      } else {
        const shown = new Set(found);
        records.forEach((record) => {
          record.row.hidden = !shown.has(record);
          if (record.more) record.more.hidden = record.row.hidden || !isOpen(record);
        });
        groups.forEach((group) => {
          let next = group.nextElementSibling, any = false;
          while (next && !next.classList.contains("group")) { any ||= !next.hidden && !next.classList.contains("more"); next = next.nextElementSibling; }
          group.hidden = isSorted || !any;
        });
      }
      count.textContent = found.length === records.length ? "" : `${found.length} of ${records.length}`;
    }
    box.clear = () => { search.value = ""; all("[data-tag]", tools).forEach((button) => button.setAttribute("aria-pressed", "false")); show(); };
    all("[data-tag]", tools).forEach((button) => button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      show();
    }));
    further?.addEventListener("click", () => { limit += STEP; show(); });
    if (holder) { show(); }
    let later = 0;
    search.addEventListener("input", () => { clearTimeout(later); later = setTimeout(show, records.length > 1000 ? 150 : 0); });
    if (records.length > 8) tools.append(search);
    if (heads.some((head) => head.classList.contains("extra"))) {
      const button = make("button", { type: "button", textContent: "all columns" });
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => button.setAttribute("aria-pressed", String(box.classList.toggle("every"))));
      tools.append(button);
    }
    if (table.querySelector("td.shade")) {
      const group = make("span", { className: "chips" });
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", "Compare each release with");
      const choices = ["with the release before", "with the best"].map((text, place) => {
        const button = make("button", { type: "button", textContent: text });
        button.setAttribute("aria-pressed", String(!place));
        button.addEventListener("click", () => {
          table.classList.toggle("to-best", place === 1);
          choices.forEach((one, at) => one.setAttribute("aria-pressed", String(at === place)));
        });
        return button;
      });
      group.append(...choices);
      tools.prepend(group);
    }
    if (tools.children.length) { tools.hidden = false; tools.append(count); }
  });

  // ---- commands to copy

  if (navigator.clipboard) all(".copy").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent).then(() => {
      button.textContent = "copied";
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    }));
  });

  // ---- where things are: contents, and links to a finding

  const contents = document.getElementById("contents");
  contents?.append(...all("main > section > h2, nav ~ details > summary > h2").map((head) => {
    const text = [...head.childNodes].find((node) => node.nodeType === Node.TEXT_NODE).textContent.trim();
    return make("a", { href: `#${head.closest("[id]").id}`, textContent: text });
  }));

  function follow() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let outer = target; outer; outer = outer.parentElement) if (outer.tagName === "DETAILS") outer.open = true;
    if (target.tagName === "TR") {
      const box = target.closest(".table");
      if (target.hidden) box.clear();
      box.openRow(target);
      target.querySelector("button.open")?.focus({ preventScroll: true });
    }
    target.scrollIntoView({ block: "start" });
  }
  window.addEventListener("hashchange", follow);
  window.addEventListener("load", () => setTimeout(follow));  // after the browser went to the place by itself
})();
