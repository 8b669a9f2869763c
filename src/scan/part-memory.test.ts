import { describe, expect, it } from 'vitest';
import { PartMemory } from './part-memory.ts';

describe('PartMemory', () => {
  it('keeps the last used within its limit', () => {
    const memory = new PartMemory(10);
    memory.set('a', Buffer.alloc(4));
    memory.set('b', Buffer.alloc(4));
    expect(memory.get('a')).toHaveLength(4);
    memory.set('c', Buffer.alloc(4));
    expect(['a', 'b', 'c'].filter((key) => memory.get(key) !== null)).toEqual(['a', 'c']);
  });

  it('counts what is set again once', () => {
    const memory = new PartMemory(10);
    for (let time = 0; time < 5; time += 1) memory.set('a', Buffer.alloc(4));
    memory.set('b', Buffer.alloc(6));
    expect(memory.get('a')).not.toBeNull();
  });

  it('keeps nothing larger than the limit', () => {
    const memory = new PartMemory(10);
    memory.set('a', Buffer.alloc(11));
    expect(memory.get('a')).toBeNull();
  });
});
