// Cards with pictures: cameras, and the days of one camera. A day's picture is drawn when its card comes into view.

import { Deck } from "./deck.js";
import { dayOf, duration, plural } from "./format.js";
import { canDecodeKeyframes, draw, readKeyframe } from "./keyframe.js";
import { parsePlaylist } from "./playlist.js";
import { Photos } from "./photos.js";
import { ADOPTED, readProvenance } from "./provenance.js";
import { request, requestRange } from "./source.js";

const DAYS_AT_A_TIME = 12;

function card(href, name) {
  const item = document.createElement("li");
  const link = item.appendChild(document.createElement("a"));
  link.href = href;
  const parts = ["picture", "name", "note"].map((kind) => {
    const part = link.appendChild(document.createElement(kind === "picture" ? "canvas" : "span"));
    part.className = kind;
    return part;
  });
  parts[1].textContent = name;
  return { item, link, picture: parts[0], note: parts[2] };
}

export class Cameras {
  constructor(href) {
    this.href = href;
    this.list = document.getElementById("camera-list");
    this.cards = new Map();
  }

  async show(streams) {
    const names = streams.map((stream) => stream.name);
    if (names.join("\n") !== [...this.cards.keys()].join("\n")) {
      this.cards = new Map(streams.map((stream) => [stream.name, card(this.href(stream.name), stream.name)]));
      this.list.replaceChildren(...[...this.cards.values()].map(({ item }) => item));
    }
    await Promise.all(streams.map((stream) => this.#refresh(stream)));
  }

  async #refresh(stream) {
    const { picture, note } = this.cards.get(stream.name);
    try {
      const response = await request(stream.latestUrl(), { cache: "no-cache" });
      const changed = Date.parse(response.headers.get("Last-Modified"));
      const now = Date.parse(response.headers.get("Date"));
      const image = await createImageBitmap(await response.blob());
      draw(picture, image, image.width, image.height);
      const age = (Number.isNaN(now) ? Date.now() : now) - changed;
      note.textContent = Number.isNaN(age) ? "" : `${duration(Math.max(age, 0))} ago`;
    } catch (failure) {
      note.textContent = { missing: "nothing yet", denied: "not readable", offline: "no connection" }[failure.kind] ?? "no picture";
    }
  }
}

export class Days {
  constructor(href) {
    this.href = href;
    this.list = document.getElementById("day-list");
    this.more = document.getElementById("more-days");
    this.more.addEventListener("click", () => this.#extend().catch(() => {}));
    this.photos = new Photos();
    this.deck = new Deck(this.photos, { ahead: 1 });
    this.queue = Promise.resolve();
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        this.observer.unobserve(target);
        this.queue = this.queue.then(() => this.#illustrate(target.dataset.reel)).catch(() => {});
      }
    }, { rootMargin: "50%" });
    this.clear();
  }

  clear() {
    this.observer.disconnect();
    this.cards = new Map();
    this.stream = null;
    this.list.replaceChildren();
  }

  // `names`: of all reels, oldest first, or null if nothing lists them.
  async show(stream, newest, names) {
    if (this.stream !== stream) this.clear();
    Object.assign(this, { stream, names });
    if (!this.cards.has(newest.name)) this.list.prepend(this.#card(newest.name).item);
    this.#describe(newest.name, newest);
    if (this.cards.size === 1) await this.#extend();
  }

  mark(shown) {
    for (const [name, { link }] of this.cards) {
      if (name === shown) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  // The reel after this one, as far as it is known.
  after(name) {
    const known = [...this.cards.keys()].sort((one, other) => dayOf(one).number - dayOf(other).number);
    return known[known.indexOf(name) + 1] ?? null;
  }

  #card(name) {
    const made = card(this.href(this.stream.name, name), dayOf(name).day);
    made.item.dataset.reel = name;
    this.cards.set(name, made);
    this.observer.observe(made.item);
    return made;
  }

  // Of a video of another tool, no photo is behind a frame; which reels are such is known when their pictures are read.
  #describe(name, { frameCount, seconds, photo } = {}) {
    const made = this.cards.get(name);
    const facts = (made.facts = { ...made.facts, ...(frameCount && { frameCount, seconds }), ...(photo && { photo }) });
    const word = facts.photo && facts.photo.role !== ADOPTED ? "photo" : "frame";
    const from = facts.photo?.role === ADOPTED ? ` adopted from ${facts.photo.key.replace(/#\d+$/, "")}` : "";
    made.note.textContent = `${plural(facts.frameCount ?? 0, word)}${from}, ${duration(1000 * (facts.seconds ?? 0))}`;
  }

  async #before(name) {
    if (this.names) return this.names[this.names.indexOf(name) - 1] ?? null;
    const manifest = this.cards.get(name)?.manifest;
    if (manifest) return manifest.previous;
    const last = dayOf(name).number > 1 ? await this.stream.lastClosed() : null;
    return last === name ? (await this.stream.manifest(last)).previous : last;
  }

  async #extend() {
    const stream = this.stream;
    let name = [...this.cards.keys()].sort((one, other) => dayOf(one).number - dayOf(other).number)[0];
    for (let left = DAYS_AT_A_TIME; left > 0; left -= 1) {
      name = await this.#before(name);
      if (this.stream !== stream) return;
      if (!name) break;
      const made = this.cards.get(name) ?? this.#card(name);
      this.list.append(made.item);
      if (!this.names) await this.#manifest(name);
    }
    this.more.hidden = !name || !(await this.#before(name));
  }

  async #manifest(name) {
    const made = this.cards.get(name);
    made.manifest ??= await this.stream.manifest(name);
    const { segments, fps } = made.manifest;
    const frameCount = segments.reduce((sum, { count }) => sum + count, 0);
    // A segment has a duration, in 512ths of a frame's time, if its frames are held (`model/frame_times.py`).
    const ticks = segments.reduce((sum, { count, duration_ticks }) => sum + (duration_ticks ?? 512 * count), 0);
    this.#describe(name, { frameCount, seconds: ticks / 512 / fps });
  }

  // The keyframe in the middle: nights begin and end many days.
  async #illustrate(name) {
    const { stream } = this;
    const { picture } = this.cards.get(name);
    let playlist;
    if (dayOf(name).number === Math.max(...[...this.cards.keys()].map((one) => dayOf(one).number))) playlist = await stream.newest();
    else {
      await this.#manifest(name);
      playlist = await stream.closed(name);
    }
    const reel = parsePlaylist(playlist.text, playlist.url, { manifest: this.cards.get(name).manifest ?? null });
    const segment = reel.segments[reel.segmentAt(reel.frameCount >> 1)];
    if (canDecodeKeyframes) {
      const { picture: frame, head } = await readKeyframe(await requestRange(reel.map.url, reel.map.range), segment);
      draw(picture, frame, frame.displayWidth, frame.displayHeight);
      frame.close();
      this.#describe(name, { photo: (await readProvenance(head))[0] });
      return;
    }
    this.photos.show(reel);
    this.#describe(name, { photo: await this.photos.load(segment.first) });
    await this.deck.open(reel, segment.first);
    const { video } = this.deck;
    draw(picture, video, video.videoWidth, video.videoHeight);
    this.deck.close();
  }
}
