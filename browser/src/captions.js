// Captions to word-piece ids, as `keras_t2i_runtime/captions.py` has them.

const LONGEST_CAPTION = 20000; // characters; each costs time before it is cut
// What Python counts as white space and as a letter or number of a word.
const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const DASH_IN_WORD = /(?<=[\p{L}\p{N}_])[-\u2010-\u2015](?=[\p{L}\p{N}_])/gu;

/** One spelling for what a person would call the same words. */
export function normalise(caption) {
  caption = caption.replace(new RegExp(`^${SPACE}`), "");
  caption = [...caption.slice(0, 2 * LONGEST_CAPTION)].slice(0, LONGEST_CAPTION).join("");
  caption = caption.replace(/\p{Surrogate}/gu, "?"); // half a pair is no text
  caption = caption.normalize("NFKC").toLowerCase().replaceAll("’", "'").replace(DASH_IN_WORD, " ");
  caption = caption.replace(/[\p{P}\p{S}]/gu, (sign) => (sign === "'" ? sign : ` ${sign} `));
  return caption.split(new RegExp(SPACE)).filter(Boolean).join(" ");
}

/** A visible character for each of 256 bytes, as byte-pair vocabularies have them. */
function visibleBytes() {
  const shown = (byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(shown(byte) ? byte : 256 + others++));
}

/** Byte-pair encoding: of a word's pieces that pair is joined which was learned first, until none is left. */
export class Tokenizer {
  /**
   * vocabulary: object, of a piece its id; merges: text, a pair a line; length: pieces that a caption may have;
   * nearest: object, of a word that captions did not teach, or not alone, the one or the phrase that is read for it.
   */
  constructor(vocabulary, merges, length, nearest = {}) {
    this.nearest = new Map(Object.entries(nearest));
    const pairs = merges.split("\n").entries();
    this.ranks = new Map([...pairs].filter(([, pair]) => pair.includes(" ")).map(([rank, pair]) => [pair, rank]));
    this.ids = new Map(Object.entries(vocabulary));
    this.bytes = visibleBytes();
    this.length = length;
  }

  /** Int32Array of ids, padded with 0; whether the caption was cut; and pairs of a word and what it was read as. */
  encode(caption) {
    const words = normalise(caption).split(" ").filter(Boolean);
    const read = this.readings(words);
    const pieces = read.flatMap((phrase) => phrase.split(" ")).flatMap((word) => this.pieces(word));
    if (!pieces.length) throw new Error("There are no words: say what to draw.");
    const ids = new Int32Array(this.length);
    ids.set(pieces.slice(0, this.length).map((piece) => this.ids.get(piece)));
    const readAs = [...new Map(words.map((word, i) => [word, read[i]]))].filter(([word, other]) => word !== other);
    return { ids, cut: pieces.length > this.length, readAs };
  }

  /**
   * What is read for each of a caption's words: the one that stands for it; then, for that, the phrase that does, unless
   * the caption has another word of the phrase.
   */
  readings(words) {
    const near = words.map((word) => {
      const other = this.nearest.get(word) ?? word;
      return other.includes(" ") ? word : other;
    });
    return near.map((word) => {
      const phrase = this.nearest.get(word) ?? word;
      const beside = phrase.split(" ").filter((other) => other !== word);
      return phrase.includes(" ") && !beside.some((other) => near.includes(other)) ? phrase : word;
    });
  }

  /** Pieces of one word, which takes the space before it along. */
  pieces(word) {
    let pieces = Array.from(new TextEncoder().encode(` ${word}`), (byte) => this.bytes[byte]);
    for (;;) {
      const pairs = pieces.slice(1).map((piece, i) => `${pieces[i]} ${piece}`);
      const known = pairs.filter((pair) => this.ranks.has(pair));
      if (!known.length) return pieces;
      const first = known.reduce((one, other) => (this.ranks.get(other) < this.ranks.get(one) ? other : one));
      const joined = [];
      for (let i = 0; i < pieces.length; i++) {
        const pair = i + 1 < pieces.length && `${pieces[i]} ${pieces[i + 1]}` === first;
        joined.push(pair ? pieces[i] + pieces[++i] : pieces[i]);
      }
      pieces = joined;
    }
  }
}
