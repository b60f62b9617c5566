// The photos behind a segment's frames, read from its `uuid` boxes, and when they are shown.
// Source: ISO/IEC 14496-12, clauses 4.2 (boxes) and 8 (moof, edts); the format of the uuid box is in video/boxes.py.

import { boxes, find, fragmentSamples } from "./boxes.js";

export const ADOPTED = 3; // the role of a frame without a photo, from a video that another tool made
const PROVENANCE = "7d9a1f6e52c44c1b9a570e3b6c8d2f10";

// [{number, key, uploadedEpochMs, role, etag, capturedEpochMs}, …] of all frames in a segment's bytes.
export async function readProvenance(buffer) {
  const view = new DataView(buffer);
  const frames = [];
  for (const box of boxes(view)) {
    if (box.type !== "uuid" || hex(buffer.slice(box.payload, box.payload + 16)) !== PROVENANCE) continue;
    const packed = new Blob([buffer.slice(box.payload + 16, box.end)]).stream();
    const value = await new Response(packed.pipeThrough(new DecompressionStream("deflate"))).json();
    value.frames.forEach(([key, uploadedEpochMs, role = 0, etag = "", taken = null], index) => {
      const number = value.first + index;
      frames.push({ number, key, uploadedEpochMs, role, etag, capturedEpochMs: taken ?? uploadedEpochMs, isTaken: taken !== null });
    });
  }
  return frames;
}

function hex(buffer) {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// When the frames in a segment's bytes are shown, in seconds, in order. If they are cut off, those of its whole headers.
export function shownTimes(initSegment, segment) {
  const [{ timescale, start }, media] = [timing(initSegment), new DataView(segment)];
  const fragments = [...boxes(media)].filter(({ type }) => type === "moof");
  const ticks = fragments.flatMap((moof) => fragmentSamples(media, moof).samples.map(({ shown }) => shown - start));
  return ticks.map((tick) => tick / timescale).sort((one, other) => one - other);
}

// {timescale, start}: ticks per second, and the tick at which the video begins, by the edit list.
export function timing(initSegment) {
  const init = new DataView(initSegment);
  const mdhd = find(init, ["moov", "trak", "mdia", "mdhd"]);
  if (!mdhd) throw new Error("the init segment has no mdhd");
  const timescale = init.getUint32(mdhd.payload + (init.getUint8(mdhd.payload) === 1 ? 20 : 12));
  return { timescale, start: editStart(init) };
}

function editStart(init) {
  const elst = find(init, ["moov", "trak", "edts", "elst"]);
  if (!elst || init.getUint32(elst.payload + 4) === 0) return 0;
  const isLong = init.getUint8(elst.payload) === 1;
  const start = isLong ? Number(init.getBigInt64(elst.payload + 16)) : init.getInt32(elst.payload + 12);
  return Math.max(start, 0);
}
