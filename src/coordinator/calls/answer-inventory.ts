import { inventoryRequestSchema, type InventoryAnswer } from '../../api/coordinator/inventory-call.ts';
import type { ImageKnowledge } from '../ports.ts';
import { answerJson } from '../refusal.ts';
import { parseBody, type AnswerCall } from './call.ts';

/** `wallNow`: milliseconds since the epoch, by the clock that the histories' times are by. */
export function answerInventory(images: ImageKnowledge, wallNow: () => number): AnswerCall {
  return async ({ worker, body, signal }) => {
    const parsed = parseBody(inventoryRequestSchema, body);
    if (parsed.kind === 'refused') return parsed;
    const known = await images.observe(worker, parsed.value, signal);
    const histories = [...known].map(([imageId, { firstSeenAt, lastInUseAt }]) => ({ imageId, firstSeenAt, lastInUseAt }));
    return answerJson({ now: wallNow(), histories } satisfies InventoryAnswer);
  };
}
