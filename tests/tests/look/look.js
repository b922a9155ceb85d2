// What a page looks like from inside. One expression: an object of questions, each answered by plain values.
({
    // A sentence for each thing that is wrong with what is seen before anything is touched.
    at_first(width, height, states) {
        return [...this.too_wide(width), ...this.without_state(height, states), ...this.dim(), ...this.twice()];
    },

    // The same after every part has been opened.
    opened(width) {
        return [...this.closed(), ...this.figures(), ...this.too_wide(width)];
    },

    // Both colours of the page, to hold against those of another scheme.
    colours() {
        return { background: this.rgb(this.background()), ink: this.rgb(getComputedStyle(document.body).color) };
    },

    // How many figures have marks to point at, or could have.
    figure_count() {
        return document.querySelectorAll("figure").length;
    },

    // A mark of a figure that can be pointed at, scrolled to: where it is, and its title. Null where there are none.
    mark(number) {
        const marks = [...document.querySelectorAll("figure")[number].querySelectorAll(".hover")];
        if (marks.length === 0) return null;
        const steps = [0.5, 0.25, 0.75, 0.05, 0.95];
        for (const mark of marks.slice(0, 300)) {
            const title = this.title(mark);
            if (title === "") return { title: "", what: mark.outerHTML.slice(0, 120) };
            mark.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
            const box = mark.getBoundingClientRect();
            for (const down of steps) {
                for (const right of steps) {
                    const [x, y] = [box.left + box.width * right, box.top + box.height * down];
                    const hit = document.elementFromPoint(x, y);
                    if (hit && mark.contains(hit)) return { title, x, y };
                }
            }
        }
        return { title: this.title(marks[0]), what: "no place of any mark is in front" };
    },

    // How often a text is to be read on the page.
    count(text) {
        return this.squeezed(document.body.innerText).split(text).length - 1;
    },

    // Comes when the text is to be read more often than before, or when it has been waited for in vain.
    async appears(text, before) {
        for (let tries = 0; tries < 100; tries++) {
            if (this.count(text) > before) return true;
            await new Promise(done => setTimeout(done, 20));
        }
        return false;
    },

    too_wide(width) {
        const scroll = document.documentElement.scrollWidth;
        if (scroll <= width) return [];
        const clips = element => {
            for (let up = element.parentElement; up && up !== document.body; up = up.parentElement) {
                if (getComputedStyle(up).overflowX !== "visible") return true;
            }
            return false;
        };
        const beyond = [...document.querySelectorAll("body *")]
            .filter(element => element.getBoundingClientRect().right > width + 0.5 && !clips(element))
            .map(element => `<${element.localName} class="${element.getAttribute("class") ?? ""}">`);
        return [`scrolls sideways: ${scroll} px wide, ${width} px seen; beyond the edge: ${beyond.slice(0, 4).join(" ")}`];
    },

    // Each of `states` has to be read without scrolling. (`innerHeight` grows where a phone shows a page smaller.)
    without_state(height, states) {
        const plain = text => this.squeezed(text).toLowerCase().replaceAll("-", " ");
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        const seen = [];
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const shown = node.parentElement.checkVisibility({ opacityProperty: true, visibilityProperty: true });
            if (!shown) continue;
            const range = document.createRange();
            range.selectNodeContents(node);
            const inside = box => box.width > 0 && box.bottom > 0 && box.bottom <= height && box.left >= 0;
            if ([...range.getClientRects()].some(inside)) seen.push(plain(node.data));
        }
        const has = state => seen.some(text => text.includes(plain(state)));
        return states.filter(state => !has(state)).map(state => `"${state}" is not to be read without scrolling`);
    },

    dim() {
        const { background, ink } = this.colours();
        const bright = rgb => {
            const [red, green, blue] = rgb.map(part => {
                const share = part / 255;
                return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const [paper, text] = [bright(background), bright(ink)];
        const contrast = (Math.max(paper, text) + 0.05) / (Math.min(paper, text) + 0.05);
        const found = [];
        if (contrast < 7) found.push(`text is hard to read: rgb(${ink}) on rgb(${background}), contrast ${contrast.toFixed(1)}`);
        const dark = matchMedia("(prefers-color-scheme: dark)").matches;
        if (dark !== paper < text) found.push(`${dark ? "dark" : "light"} is asked for, and the page is not`);
        return found;
    },

    // What refers to an id finds the first of that name.
    twice() {
        const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
        const again = [...new Set(ids.filter((id, at) => ids.indexOf(id) !== at))];
        return again.map(id => `id "${id}" is there more than once`);
    },

    // Opens every part as a person would.
    closed() {
        const found = [];
        for (const details of document.querySelectorAll("details")) {
            const summary = details.querySelector(":scope > summary");
            const name = this.squeezed(summary?.textContent ?? "");
            if (name === "") found.push("a part that can be opened says nothing of what it is");
            if (!details.open) summary?.click();
            if (!details.open) found.push(`"${name}" cannot be opened`);
            else if (details.checkVisibility() && details.scrollHeight <= summary.offsetHeight) found.push(`"${name}" is empty`);
        }
        return found;
    },

    figures() {
        const figures = [...document.querySelectorAll("figure")];
        return figures.length === 0 ? ["has no figure"] : figures.flatMap((figure, at) => this.figure(figure, at + 1));
    },

    figure(figure, number) {
        const svgs = [...figure.querySelectorAll("svg")];
        if (svgs.length === 0) return [`figure ${number} has no picture`];
        return svgs.flatMap(svg => this.svg(svg).map(sentence => `figure ${number} ${sentence}`));
    },

    svg(svg) {
        const found = [];
        const box = svg.getBoundingClientRect();
        if (box.width < 1 || box.height < 1) found.push(`has no size: ${box.width} by ${box.height}`);
        const ids = ["aria-labelledby", "aria-describedby"].flatMap(name => (svg.getAttribute(name) ?? "").split(/\s+/));
        const named = ids.filter(id => id !== "");
        for (const id of named) {
            const element = document.getElementById(id);
            if (!svg.contains(element)) found.push(`is named by "${id}", which is not in it`);
            else if (this.squeezed(element.textContent) === "") found.push(`is named by "${id}", which says nothing`);
        }
        if (named.length < 2) found.push("has not both a name and a description for who cannot see it");
        return found;
    },

    title(mark) {
        const title = mark.querySelector(":scope > title")?.textContent;
        return this.squeezed(title ?? mark.dataset.title ?? mark.getAttribute("aria-label") ?? "");
    },

    background() {
        for (const element of [document.body, document.documentElement]) {
            const colour = getComputedStyle(element).backgroundColor;
            if (colour !== "rgba(0, 0, 0, 0)") return colour;
        }
        // What the browser itself paints.
        const probe = document.body.appendChild(document.createElement("span"));
        probe.style.backgroundColor = "Canvas";
        const colour = getComputedStyle(probe).backgroundColor;
        probe.remove();
        return colour;
    },

    // However a colour is written.
    rgb(colour) {
        const canvas = document.createElement("canvas").getContext("2d");
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    },

    squeezed(text) {
        return text.replace(/\s+/g, " ").trim();
    },
})
