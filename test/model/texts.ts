/** Long texts by number: states are compared often, and hold the same few again and again. */
export class Texts {
  readonly #ids = new Map<string, number>();
  readonly #texts: string[] = [];

  idOf(text: string): number {
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    const id = this.#texts.push(text) - 1;
    this.#ids.set(text, id);
    return id;
  }

  textOf(id: number): string {
    const text = this.#texts[id];
    if (text === undefined) throw new Error(`there is no text ${String(id)}`);
    return text;
  }
}
