// Comfort, not content: a mark's words at once and by keyboard, commands copied by a button. Without it, browsers show
// the marks' titles themselves. Neither a less-than sign nor an ampersand: the page is XML, too.
const tip = document.createElement("div");
tip.id = "tip";
tip.hidden = true;
tip.setAttribute("role", "status");
document.body.append(tip);
const hide = () => { tip.hidden = true; };
function show(mark, x, y) {
  const title = mark.querySelector("title");
  if (title) { mark.dataset.words = title.textContent; title.remove(); } // or the browser would show it as well, later
  tip.textContent = mark.dataset.words;
  tip.hidden = false;
  tip.style.left = Math.max(8, Math.min(x + 14, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = (y > tip.offsetHeight + 20 ? y - tip.offsetHeight - 12 : y + 20) + "px";
}
for (const title of document.querySelectorAll(".chart svg > title")) { // still the chart's name, but no tooltip
  const name = document.createElementNS(title.namespaceURI, "desc");
  name.id = title.id;
  name.textContent = title.textContent;
  title.replaceWith(name);
}
function reveal() { // what a link leads to is open
  const part = document.getElementById(location.hash.slice(1))?.closest("details");
  if (part) { part.open = true; part.scrollIntoView(); }
}
addEventListener("hashchange", reveal); reveal();
for (const chart of document.querySelectorAll(".chart")) {
  let at = -1;
  chart.addEventListener("pointermove", (event) => {
    const mark = event.target.closest(".hover");
    if (mark) { show(mark, event.clientX, event.clientY); } else { hide(); }
  });
  chart.addEventListener("pointerleave", hide);
  chart.addEventListener("blur", hide);
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const marks = chart.querySelectorAll(".hover");
    if (!step || !marks.length) { return hide(); }
    at = at === -1 ? (step === 1 ? 0 : marks.length - 1) : (at + step + marks.length) % marks.length;
    event.preventDefault();
    marks[at].scrollIntoView({ block: "nearest", inline: "nearest" });
    const box = marks[at].getBoundingClientRect();
    show(marks[at], box.x + box.width / 2, box.y + box.height / 2);
  });
}
for (const box of document.querySelectorAll(".copy")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", () => {
    const say = (word) => { button.textContent = word; setTimeout(() => { button.textContent = "Copy"; }, 2000); };
    getSelection().selectAllChildren(box.querySelector("code"));
    say("Selected");
    if (navigator.clipboard) {
      navigator.clipboard.writeText(box.querySelector("code").textContent).then(() => say("Copied"), () => {});
    }
  });
  box.append(button);
}
