// The pictures of the day of the reel that is shown (docs/day-pictures.md): the keogram as a strip below the bar, the
// others in a list that a viewer opens. Which there are, the objects say that the page reads anyway; so nothing is
// requested that does not exist. Of a reel that grows, a conditional request now and then asks whether they have changed.

import { number } from "./format.js";
import { request } from "./source.js";

const REFRESH_MS = 20_000; // they are written when a segment closes, and every ten minutes
const KEOGRAM = "keogram";
// Each kind but the keogram, which has a place of its own.
const KINDS = {
  lighten: { file: "lighten.png", element: "img", title: "Brightest of all frames", text: "The brightest that any frame of this reel has at each place" },
  digest: { file: "digest.mp4", element: "video", title: "The day in short", text: "A short video of this reel" },
};

const by = (id) => document.getElementById(id);

export class DayPictures {
  constructor(onSeek) {
    this.section = by("day-pictures");
    this.list = by("day-picture-list");
    this.strip = new Strip(onSeek);
    this.section.addEventListener("toggle", () => this.#refresh().catch(() => {}));
    this.clear();
  }

  clear() {
    this.sources?.forEach((source) => source.close());
    [this.reel, this.sources, this.readAt] = [null, new Map(), new Map()];
    this.strip.clear();
    this.list.replaceChildren();
    this.section.hidden = true;
  }

  // `kinds` are those that this reel has; the reel may have grown.
  show(reel, kinds) {
    if (this.reel?.map.url !== reel.map.url) this.clear();
    Object.assign(this, { reel, kinds });
    this.strip.fit(reel);
    const listed = kinds.filter((kind) => kind in KINDS);
    this.section.hidden = listed.length === 0;
    for (const kind of listed) if (!this.sources.has(kind)) this.#add(kind);
    this.#refresh().catch(() => {});
  }

  set(frame) {
    this.strip.set(frame);
  }

  #add(kind) {
    const { element, title, text } = KINDS[kind];
    const figure = document.createElement("figure");
    const shown = document.createElement(element);
    const caption = document.createElement("figcaption");
    if (element === "video") Object.assign(shown, { controls: true, muted: true, playsInline: true, ariaLabel: text });
    else shown.alt = text;
    const link = Object.assign(caption.appendChild(document.createElement("a")), { textContent: title, target: "_blank", rel: "noopener" });
    link.href = this.#url(KINDS[kind].file);
    figure.append(shown, caption);
    this.list.append(figure);
    this.sources.set(kind, new ObjectSource(shown));
  }

  #url(file) {
    return new URL(file, this.reel.map.url).href; // an edition's pictures lie beside its init segment
  }

  async #refresh() {
    const { reel } = this;
    if (!reel) return;
    if (this.kinds.includes(KEOGRAM)) await this.#read(KEOGRAM, "keogram.png", (body) => this.strip.show(reel, body));
    if (!this.section.open) return;
    for (const [kind, source] of this.sources) await this.#read(kind, KINDS[kind].file, (body) => source.show(body));
  }

  // The browser sends the ETag that it has, and S3 answers 304 where nothing changed.
  async #read(kind, file, show) {
    const { reel, readAt } = this;
    const last = readAt.get(kind);
    if (last && (last.isClosed || (!reel.isClosed && Date.now() - last.epochMs < REFRESH_MS))) return;
    const read = { epochMs: Date.now(), isClosed: reel.isClosed, etag: last?.etag };
    readAt.set(kind, read);
    const response = await request(this.#url(file), { cache: "no-cache" });
    const etag = response.headers.get("ETag");
    const isSame = etag !== null && etag === read.etag;
    const body = await response.blob();
    if (isSame || this.reel?.map.url !== reel.map.url) return;
    await show(body);
    read.etag = etag;
  }
}

// What an <img> or <video> shows, from memory: its address does not change when the object does.
class ObjectSource {
  constructor(element) {
    this.element = element;
    this.url = null;
  }

  show(body) {
    if (this.element.localName === "video" && this.url && !this.element.paused) return; // it is being watched
    this.close();
    this.url = this.element.src = URL.createObjectURL(body);
  }

  close() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
    this.element.removeAttribute("src");
  }
}

// The keogram: column x is of the frames from x * framesPerColumn on. Its last column may be of fewer, and the reel may
// have frames that are not in it yet; so its scale is that of the bar, and what is missing stays empty at its right.
class Strip {
  constructor(onSeek) {
    this.element = by("keogram");
    this.image = by("keogram-image");
    this.place = by("keogram-place");
    this.source = new ObjectSource(this.image);
    this.element.addEventListener("click", (event) => this.reel && onSeek(this.#frameAt(event.clientX)));
  }

  clear() {
    this.source.close();
    this.state = this.reel = null;
    this.element.hidden = true;
  }

  async show(reel, body) {
    const state = readState(await body.arrayBuffer());
    this.source.show(body);
    this.state = state;
    this.fit(reel);
  }

  // The reel has this many frames by now.
  fit(reel) {
    if (!this.state) return;
    this.reel = reel;
    const { width, framesPerColumn } = this.state;
    this.image.style.width = `${(100 * width * framesPerColumn) / reel.frameCount}%`;
    const each = framesPerColumn === 1 ? "one frame" : `${number(framesPerColumn)} frames`;
    this.image.alt = `Keogram of ${number(this.state.frames)} frames: from left to right, a column for ${each}`;
    this.element.hidden = false;
  }

  set(frame) {
    if (this.reel) this.place.style.left = `${(100 * (frame + 0.5)) / this.reel.frameCount}%`;
  }

  #frameAt(clientX) {
    const { left, width } = this.element.getBoundingClientRect();
    const share = Math.min(Math.max((clientX - left) / width, 0), 1);
    return Math.min(Math.floor(share * this.reel.frameCount), this.reel.frameCount - 1);
  }
}

// What a keogram's PNG says of itself: its width, its frames, and how many are in a column. Raises Error.
// Source: PNG (Third Edition, June 2025), clauses 5.3, 11.2.1 (IHDR) and 11.3.3.2 (tEXt).
export function readState(buffer) {
  const view = new DataView(buffer);
  const width = view.getUint32(16);
  for (let position = 8; position + 12 <= view.byteLength; ) {
    const size = view.getUint32(position);
    const name = String.fromCharCode(...new Uint8Array(buffer, position + 4, 4));
    const body = new Uint8Array(buffer, position + 8, size);
    const text = name === "tEXt" ? new TextDecoder("latin1").decode(body) : "";
    if (text.startsWith("timelapse\0")) {
      const state = JSON.parse(text.slice(10));
      return { width, frames: state.frames, framesPerColumn: state.frames_per_column };
    }
    position += size + 12;
  }
  throw new Error("the keogram does not say which frames are in it");
}
