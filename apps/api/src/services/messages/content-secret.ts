import { hash } from 'node:crypto';

/** Block and digest of SHA-256, bytes. */
const blockBytes = 64;
const digestBytes = 32;

/**
 * The secret of an app under which contents are hashed: HMAC-SHA256 (RFC 2104) by two one-shot hashes. Node's `createHmac` makes an object
 * outside of the heap for every call, which on the way of each send cost more than the hashing.
 */
export class ContentSecret {
  readonly #inner: Buffer;
  /** The outer block, and room for the inner digest. */
  readonly #outer: Buffer;

  /** @param secret at most 64 bytes */
  constructor(secret: Uint8Array) {
    if (secret.length > blockBytes) throw new RangeError(`a secret of ${secret.length} bytes; at most ${blockBytes}`);
    this.#inner = padded(secret, 0x36);
    this.#outer = Buffer.concat([padded(secret, 0x5c), Buffer.alloc(digestBytes)]);
  }

  /** HMAC of the text's UTF-8. */
  hash(text: string): Buffer {
    const message = Buffer.allocUnsafe(blockBytes + Buffer.byteLength(text));
    this.#inner.copy(message);
    message.write(text, blockBytes);
    // As text: a buffer of its own would be memory outside of the heap again.
    this.#outer.write(hash('sha256', message, 'binary'), blockBytes, 'binary');
    return Buffer.from(hash('sha256', this.#outer, 'binary'), 'binary');
  }
}

function padded(secret: Uint8Array, pad: number): Buffer {
  const block = Buffer.alloc(blockBytes, pad);
  for (const [at, byte] of secret.entries()) block.writeUInt8(byte ^ pad, at);
  return block;
}
