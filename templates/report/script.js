"use strict";
(function () {
  var d = document, root = d.documentElement, current = null;
  var all = function (s, e) { return Array.prototype.slice.call((e || d).querySelectorAll(s)); };
  var by = function (id) { return d.getElementById(id); };
  var tip = by("tip"), live = by("live");
  root.classList.remove("no-js");

  function show(el, x, y) {
    tip.textContent = el.getAttribute("data-tip");
    tip.classList.add("on");
    var w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(8, Math.min(innerWidth - w - 8, x - w / 2)) + "px";
    tip.style.top = (y - h - 12 < 8 ? y + 18 : y - h - 12) + "px";
    if (current && current !== el) current.classList.remove("on");
    current = el;
    el.classList.add("on");
  }
  function hide() {
    tip.classList.remove("on");
    if (current) current.classList.remove("on");
    current = null;
  }
  function pointed(e) {
    var el = e.target.closest && e.target.closest("[data-tip]");
    if (el) show(el, e.clientX, e.clientY); else if (!d.activeElement.matches(".kb")) hide();
  }
  d.addEventListener("pointermove", pointed);
  d.addEventListener("pointerdown", pointed);
  addEventListener("scroll", function () { if (!d.activeElement.matches(".kb")) hide(); }, { passive: true });

  // The tab stop is added here, so that nothing dead can be focused without this script.
  all(".kb").forEach(function (box) {
    var plots = all("[data-tip]", box), i = -1;
    if (!plots.length) return;
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", box.getAttribute("data-label"));
    box.addEventListener("keydown", function (e) {
      var k = e.key, last = plots.length - 1;
      if (k === "ArrowDown" || k === "ArrowRight") i = Math.min(last, i + 1);
      else if (k === "ArrowUp" || k === "ArrowLeft") i = Math.max(0, i - 1);
      else if (k === "Home") i = 0;
      else if (k === "End") i = last;
      else { if (k === "Escape") hide(); return; }
      e.preventDefault();
      plots[i].scrollIntoView({ block: "nearest" });
      var b = plots[i].getBoundingClientRect();
      show(plots[i], b.left + b.width / 2, b.top);
      live.textContent = plots[i].getAttribute("data-tip");
    });
    box.addEventListener("blur", function () { hide(); i = -1; });
  });

  var theme = by("theme"), query = matchMedia("(prefers-color-scheme: dark)");
  function dark() { var t = root.getAttribute("data-theme"); return t ? t === "dark" : query.matches; }
  function label() { theme.textContent = theme.getAttribute(dark() ? "data-light" : "data-dark"); }
  theme.addEventListener("click", function () { root.setAttribute("data-theme", dark() ? "light" : "dark"); label(); });
  label();

  by("print").addEventListener("click", function () { print(); });
  var opened = [];
  addEventListener("beforeprint", function () {
    opened = all("details:not([open]):not(.noprint)");
    opened.forEach(function (x) { x.open = true; });
  });
  addEventListener("afterprint", function () { opened.forEach(function (x) { x.open = false; }); });

  by("copy").addEventListener("click", function (e) {
    var button = e.target, before = button.textContent, text = by("summary").content.textContent;
    function done() {
      button.textContent = button.getAttribute("data-done");
      live.textContent = button.getAttribute("data-say");
      setTimeout(function () { button.textContent = before; }, 1800);
    }
    function old() {
      var a = d.createElement("textarea");
      a.value = text;
      d.body.appendChild(a);
      a.select();
      if (d.execCommand("copy")) done();
      a.remove();
    }
    if (navigator.clipboard && navigator.clipboard.writeText) navigator.clipboard.writeText(text).then(done, old); else old();
  });

  if ("IntersectionObserver" in window) {
    var links = {};
    all("nav.toc a").forEach(function (a) { links[a.hash.slice(1)] = a; });
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (e) {
        if (!e.isIntersecting || !links[e.target.id]) return;
        for (var k in links) links[k].removeAttribute("aria-current");
        links[e.target.id].setAttribute("aria-current", "true");
      });
    }, { rootMargin: "-10% 0px -75% 0px" });
    all("section[id]").forEach(function (s) { seen.observe(s); });
  }
})();
