// The boxes of an MP4 file.
// Source: ISO/IEC 14496-12, clauses 4.2 (boxes) and 8.8 (moof).

export function* boxes(view, start = 0, end = view.byteLength) {
  let position = start;
  while (position + 8 <= end) {
    let size = view.getUint32(position);
    let header = 8;
    if (size === 1) {
      size = Number(view.getBigUint64(position + 8));
      header = 16;
    }
    if (size < header || position + size > end) return; // cut off: what came before is whole
    yield { type: fourLetters(view, position + 4), start: position, payload: position + header, end: position + size };
    position += size;
  }
}

function fourLetters(view, position) {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + position, 4));
}

export function find(view, path, start = 0, end = view.byteLength) {
  for (const box of boxes(view, start, end)) {
    if (box.type !== path[0]) continue;
    if (path.length === 1) return box;
    const inner = find(view, path.slice(1), box.payload, box.end);
    if (inner) return inner;
  }
  return null;
}

// The first sample's size in a `moof`, in bytes: its own, or that of all samples. Null if there is none.
export function firstSampleSize(view, moof) {
  const trun = find(view, ["traf", "trun"], moof.payload, moof.end);
  const tfhd = find(view, ["traf", "tfhd"], moof.payload, moof.end);
  if (!trun || !tfhd) return null;
  const flags = view.getUint32(trun.payload) & 0xffffff;
  if (flags & 0x200) {
    const optional = (flags & 1 ? 4 : 0) + (flags & 4 ? 4 : 0) + (flags & 0x100 ? 4 : 0);
    return view.getUint32(trun.payload + 8 + optional);
  }
  const defaults = view.getUint32(tfhd.payload) & 0xffffff;
  if (!(defaults & 0x10)) return null;
  const optional = (defaults & 1 ? 8 : 0) + (defaults & 2 ? 4 : 0) + (defaults & 8 ? 4 : 0);
  return view.getUint32(tfhd.payload + 8 + optional);
}
