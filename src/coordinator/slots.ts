/** So many at once, in all and of each key; or so many bytes. What was taken is given back by the function that comes with it, once. */
export class Slots {
  readonly #most: number;
  readonly #mostPerKey: number;
  readonly #taken = new Map<string, number>();
  #total = 0;

  constructor(most: number, mostPerKey = most) {
    this.#most = most;
    this.#mostPerKey = mostPerKey;
  }

  get total(): number {
    return this.#total;
  }

  /** null: there is no room. */
  take(key: string, amount = 1): (() => void) | null {
    const ofKey = (this.#taken.get(key) ?? 0) + amount;
    if (this.#total + amount > this.#most || ofKey > this.#mostPerKey) return null;
    this.#total += amount;
    this.#taken.set(key, ofKey);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#total -= amount;
      const left = (this.#taken.get(key) ?? 0) - amount;
      if (left <= 0) this.#taken.delete(key);
      else this.#taken.set(key, left);
    };
  }
}
