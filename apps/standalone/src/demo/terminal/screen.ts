import { stripVTControlCharacters, styleText } from 'node:util';

type Colour = Parameters<typeof styleText>[0];

/** Widest name of a device, for the left margin. */
const NAME_WIDTH = 13;

/** The terminal as a stage: who, what, in one line each. Colours only where the terminal has them. */
export class Screen {
  readonly #out: NodeJS.WritableStream;

  constructor(out: NodeJS.WritableStream) {
    this.#out = out;
  }

  #style(colour: Colour, text: string): string {
    return styleText(colour, text, { stream: this.#out });
  }

  /** A chapter of the story. */
  chapter(text: string): void {
    this.#line(`\n${this.#style('bold', text)}`);
  }

  /** Something a device did or noticed. */
  event(device: string, kind: 'key' | 'pull' | 'entry' | 'send' | 'typing' | 'socket', text: string): void {
    const colours = { key: 'yellow', pull: 'blue', entry: 'white', send: 'green', typing: 'magenta', socket: 'gray' } as const;
    this.#line(`  ${device.padEnd(NAME_WIDTH)} ${this.#style(colours[kind], text)}`);
  }

  /** What the audience is to understand. */
  remark(text: string): void {
    this.#line(`  ${this.#style('gray', text)}`);
  }

  /** Columns side by side, as wide as their widest cell. */
  columns(heads: readonly string[], rows: readonly (readonly string[])[]): void {
    const widths = heads.map((head, index) =>
      Math.max(head.length, ...rows.map((row) => stripVTControlCharacters(row[index] ?? '').length)),
    );
    const line = (cells: readonly string[]) => `  ${cells.map((cell, index) => cell.padEnd((widths[index] ?? 0) + 3)).join('')}`;
    this.#line(this.#style('underline', line(heads).trimEnd()));
    for (const row of rows) this.#line(line(row).trimEnd());
  }

  #line(text: string): void {
    this.#out.write(`${text}\n`);
  }
}
