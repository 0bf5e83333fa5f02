"use strict";
// Makes the page handier; everything it says can be read without. Text from logs is only ever set as text.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const data = JSON.parse(document.getElementById("data").textContent);
  all(".js").forEach((element) => { element.hidden = false; });

  // Tables: sort by a click on a heading, filter by text and verdict, worst first.
  function number(cell) {
    const text = cell.dataset.v;
    return text === undefined || text === "" ? -Infinity : Number(text);
  }

  function sortRows(table, column, kind, direction) {
    const body = table.tBodies[0];
    const sign = direction === "descending" ? -1 : 1;
    const rows = [...body.rows];
    const numeric = (a, b) => (number(a.cells[column]) > number(b.cells[column])) - (number(a.cells[column]) < number(b.cells[column]));
    const textual = (a, b) => a.cells[column].textContent.localeCompare(b.cells[column].textContent);
    const compare = kind === "num" ? numeric : textual;
    rows.sort((a, b) => sign * compare(a, b) || number(a.cells[0]) - number(b.cells[0]));
    body.append(...rows);
    pages.get(table)();
    all("th[data-sort]", table).forEach((th) => th.setAttribute("aria-sort", th.cellIndex === column ? direction : "none"));
  }

  function worstFirst(table) {
    const column = table.querySelector("[data-worst]").cellIndex;
    const body = table.tBodies[0];
    const agrees = (row) => (row.dataset.status === "match" ? 1 : 0);
    const rows = [...body.rows];
    const better = (a, b) => (number(b.cells[column]) > number(a.cells[column])) - (number(b.cells[column]) < number(a.cells[column]));
    rows.sort((a, b) => agrees(a) - agrees(b) || better(a, b) || number(a.cells[0]) - number(b.cells[0]));
    body.append(...rows);
    pages.get(table)();
    all("th[data-sort]", table).forEach((th) => th.setAttribute("aria-sort", th.cellIndex === column ? "descending" : "none"));
  }

  all("table.sortable").forEach((table) => {
    all("th[data-sort]", table).forEach((th) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...th.childNodes);
      th.append(button);
      const worst = table.dataset.order === "worst";
      const now = worst ? th.dataset.worst !== undefined : th.cellIndex === 0;
      th.setAttribute("aria-sort", now ? (worst ? "descending" : "ascending") : "none");
      button.addEventListener("click", () => {
        const now = th.getAttribute("aria-sort");
        const first = th.dataset.sort === "num" && th.cellIndex > 0 ? "descending" : "ascending";
        const other = first === "descending" ? "ascending" : "descending";
        sortRows(table, th.cellIndex, th.dataset.sort, now === first ? other : first);
      });
    });
  });

  // Long tables: some rows at first and more on request; all of them on paper and without a script.
  function paged(table) {
    const step = Number(table.dataset.page || 0);
    let limit = step || Infinity;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "more";
    const apply = () => {
      let shown = 0, left = 0;
      all("tr", table.tBodies[0]).forEach((row) => {
        const fits = row.dataset.out === undefined;
        row.hidden = !fits || shown >= limit;
        shown += fits && !row.hidden ? 1 : 0;
        left += fits && row.hidden ? 1 : 0;
      });
      button.hidden = !left;
      button.textContent = `Show ${Math.min(step, left)} more of ${left}`;
    };
    if (step) {
      button.addEventListener("click", () => { limit += step; apply(); });
      table.closest(".scroll").after(button);
      addEventListener("beforeprint", () => { limit = Infinity; apply(); });
    }
    return apply;
  }
  const pages = new Map(all("table.sortable").map((table) => [table, paged(table)]));
  pages.forEach((apply, table) => { if (table.dataset.page) apply(); });

  all("form.controls").forEach((form) => {
    const target = document.getElementById(form.dataset.for);
    const tables = target.tagName === "TABLE" ? [target] : all("table.sortable", target);
    const said = form.querySelector("output");
    const { text, status, order } = form.elements;
    const apply = (event) => {
      const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const wanted = status ? status.value : "";
      let shown = 0, count = 0;
      tables.forEach((table) => {
        let here = 0;
        all("tr", table.tBodies[0]).forEach((row) => {
          const content = `${row.dataset.group || ""} ${row.textContent}`.toLowerCase();
          const fits = !wanted || row.dataset.status === wanted || (wanted === "bad" && row.dataset.status !== "match");
          if (fits && words.every((word) => content.includes(word))) {
            delete row.dataset.out;
            here += 1;
          } else row.dataset.out = "";
        });
        pages.get(table)();
        shown += here;
        count += table.tBodies[0].rows.length;
        const group = table.closest("details.group");
        if (group && event) {
          group.hidden = !here;
          if (words.length || wanted) group.open = here > 0;
        }
      });
      said.textContent = `${shown} of ${count}`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    if (order) {
      order.addEventListener("change", () => tables.forEach((table) => (order.value ? worstFirst(table) : sortRows(table, 0, "num", "ascending"))));
    }
    apply();
  });

  // Pipeline: point at a variable to see its neighbours; its row is shown even when filtered out.
  all("svg.graph").forEach((graph) => {
    const nodes = new Map(all(".node", graph).map((node) => [node.dataset.node, node]));
    const edges = all(".edge", graph);
    const clear = () => {
      graph.classList.remove("pointed");
      all(".near", graph).forEach((element) => element.classList.remove("near"));
    };
    const point = (id) => {
      clear();
      graph.classList.add("pointed");
      nodes.get(id).classList.add("near");
      edges.filter((e) => e.dataset.from === id || e.dataset.to === id).forEach((edge) => {
        edge.classList.add("near");
        nodes.get(edge.dataset.from).classList.add("near");
        nodes.get(edge.dataset.to).classList.add("near");
      });
    };
    nodes.forEach((node, id) => {
      node.addEventListener("pointerenter", () => point(id));
      node.addEventListener("pointerleave", clear);
      node.addEventListener("focus", () => point(id));
      node.addEventListener("blur", clear);
      node.addEventListener("click", () => {
        const row = document.getElementById(`v${id}`);
        if (!row) return;
        row.hidden = false;
        const group = row.closest("details");
        group.hidden = false;
        group.open = true;
      });
    });
  });

  // Plots: one cursor through all plots of a series.
  all(".series").forEach((series) => {
    const plots = data.series[Number(series.dataset.series)];
    const drawings = all("svg.plot", series);
    const readout = series.querySelector(".readout");
    let at = -1;
    const show = (index, which) => {
      at = index;
      drawings.forEach((svg) => {
        const strip = svg.querySelector(`.strip[data-i="${index}"]`);
        const cursor = svg.querySelector(".cursor");
        cursor.setAttribute("x1", strip.dataset.x);
        cursor.setAttribute("x2", strip.dataset.x);
        cursor.setAttribute("visibility", "visible");
      });
      const plot = plots[which];
      const value = (v) => (v === null ? "none" : String(v));
      readout.textContent = `${plot.title} at ${plot.x_label} ${plot.x[index]}:  C ${value(plot.c[index])}  PY ${value(plot.py[index])}  PY − C ${value(plot.difference[index])}`;
    };
    drawings.forEach((svg, which) => {
      svg.addEventListener("pointerover", (event) => {
        if (event.target.dataset.i !== undefined) show(Number(event.target.dataset.i), which);
      });
      svg.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!step) return;
        event.preventDefault();
        show(Math.max(0, Math.min(plots[which].x.length - 1, at + step)), which);
      });
    });
  });

  // Images: three views of one window; x and width run along fast, y and height along slow.
  all(".viewer").forEach((viewer) => {
    const views = all("svg.view", viewer);
    const full = { x: 0, y: 0, w: Number(viewer.dataset.fast), h: Number(viewer.dataset.slow) };
    const said = viewer.querySelector("output");
    const ratio = full.h / full.w;
    let box = { ...full };
    const draw = () => {
      box.w = Math.min(full.w, Math.max(8, box.w));
      box.h = box.w * ratio;
      box.x = Math.max(0, Math.min(full.w - box.w, box.x));
      box.y = Math.max(0, Math.min(full.h - box.h, box.y));
      views.forEach((view) => view.setAttribute("viewBox", `${box.x} ${box.y} ${box.w} ${box.h}`));
      all(".mark circle", viewer).forEach((circle) => circle.setAttribute("r", box.w / 45));
      all(".mark.largest rect:not(.exact)", viewer).forEach((rect) => {
        const mark = rect.parentNode.dataset;
        rect.setAttribute("x", Number(mark.fast) + 0.5 - box.w / 50);
        rect.setAttribute("y", Number(mark.slow) + 0.5 - box.w / 50);
        rect.setAttribute("width", box.w / 25);
        rect.setAttribute("height", box.w / 25);
      });
    };
    const zoom = (factor, x = box.x + box.w / 2, y = box.y + box.h / 2) => {
      const w = Math.min(full.w, Math.max(8, box.w * factor));
      const scale = w / box.w;
      box = { x: x - (x - box.x) * scale, y: y - (y - box.y) * scale, w, h: w * ratio };
      draw();
    };
    const place = (view, event) => {
      const r = view.getBoundingClientRect();
      return [box.x + ((event.clientX - r.left) / r.width) * box.w, box.y + ((event.clientY - r.top) / r.height) * box.h];
    };
    const actions = { in: () => zoom(0.5), out: () => zoom(2), all: () => { box = { ...full }; draw(); } };
    viewer.addEventListener("click", (event) => {
      const { zoom: action, slow, fast } = event.target.dataset;
      if (event.target.tagName !== "BUTTON") return;
      if (action) actions[action]();
      else {
        const w = Math.min(60, full.w);
        box = { x: Number(fast) + 0.5 - w / 2, y: Number(slow) + 0.5 - (w * ratio) / 2, w, h: w * ratio };
        draw();
      }
    });
    views.forEach((view) => {
      let grip = null;
      view.addEventListener("pointerdown", (event) => { grip = place(view, event); view.setPointerCapture(event.pointerId); });
      view.addEventListener("pointerup", () => { grip = null; });
      view.addEventListener("pointercancel", () => { grip = null; });
      view.addEventListener("pointermove", (event) => {
        const [x, y] = place(view, event);
        said.textContent = `slow ${Math.floor(y)}, fast ${Math.floor(x)}`;
        if (!grip) return;
        box.x += grip[0] - x;
        box.y += grip[1] - y;
        draw();
      });
      view.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && document.activeElement !== view) return;
        event.preventDefault();
        zoom(event.deltaY > 0 ? 1.25 : 0.8, ...place(view, event));
      }, { passive: false });
      view.addEventListener("keydown", (event) => {
        const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
        const action = { "+": "in", "=": "in", "-": "out", 0: "all" }[event.key];
        if (action) actions[action]();
        else if (move) {
          box.x += move[0] * box.w * 0.1;
          box.y += move[1] * box.h * 0.1;
          draw();
        } else return;
        event.preventDefault();
      });
    });
  });

  // Commands: copy; where the clipboard is closed to the page, select the text instead.
  all(".command").forEach((command) => {
    const button = command.querySelector(".copy");
    const text = command.querySelector("pre");
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text.textContent.trim());
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text);
        button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  });

  addEventListener("beforeprint", () => all("details").forEach((details) => { details.open = true; }));
})();
