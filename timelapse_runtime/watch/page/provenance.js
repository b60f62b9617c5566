// The photos behind a segment's frames, read from its `uuid` boxes, and where its first frame lies on the time line.
// Source: ISO/IEC 14496-12, clauses 4.2 (boxes) and 8 (moof, edts); the format of the uuid box is in video/boxes.py.

import { boxes, find } from "./boxes.js";

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

// How much later than `number / fps` frame `number` is shown, in seconds: encoders with B-frames delay all frames
// alike, unless an edit list in the init segment takes that back.
export function presentationDelay(initSegment, segment, firstFrame, fps) {
  const [init, media] = [new DataView(initSegment), new DataView(segment)];
  const mdhd = find(init, ["moov", "trak", "mdia", "mdhd"]);
  const traf = find(media, ["moof", "traf"]);
  if (!mdhd || !traf) return 0;
  const timescale = init.getUint32(mdhd.payload + (init.getUint8(mdhd.payload) === 1 ? 20 : 12));
  const tfdt = find(media, ["tfdt"], traf.payload, traf.end);
  const trun = find(media, ["trun"], traf.payload, traf.end);
  const isLong = media.getUint8(tfdt.payload) === 1;
  const decoded = isLong ? Number(media.getBigUint64(tfdt.payload + 4)) : media.getUint32(tfdt.payload + 4);
  const shown = decoded + firstCompositionOffset(media, trun) - editStart(init);
  return shown / timescale - firstFrame / fps;
}

function firstCompositionOffset(media, trun) {
  const flags = media.getUint32(trun.payload) & 0xffffff;
  if (!(flags & 0x800)) return 0;
  let position = trun.payload + 8 + (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0);
  position += (flags & 0x100 ? 4 : 0) + (flags & 0x200 ? 4 : 0) + (flags & 0x400 ? 4 : 0);
  return media.getInt32(position);
}

function editStart(init) {
  const elst = find(init, ["moov", "trak", "edts", "elst"]);
  if (!elst || init.getUint32(elst.payload + 4) === 0) return 0;
  const isLong = init.getUint8(elst.payload) === 1;
  const start = isLong ? Number(init.getBigInt64(elst.payload + 16)) : init.getInt32(elst.payload + 12);
  return Math.max(start, 0);
}
