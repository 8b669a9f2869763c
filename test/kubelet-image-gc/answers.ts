import { readFileSync } from 'node:fs';
import * as z from 'zod';

/** What the kubelet answered to the scenarios (`answers.json`, made by `answer-scenarios.ts`). */
export const ANSWERS_FILE = new URL('answers.json', import.meta.url);

const answerSchema = z.object({
  /** Ids; of those that the kubelet removes by chance, the lowest. */
  removed: z.array(z.string()),
  /** The kubelet removes other images of the same kind when asked again. */
  byChance: z.boolean(),
  /** How the collection ended. */
  error: z.enum(['', 'insufficient', 'no-capacity']),
});

export const answersSchema = z.object({
  kubernetes: z.string(),
  /** Of the scenarios that it was asked. */
  scenarios: z.string(),
  answers: z.record(z.string(), answerSchema),
});

export type Answer = z.infer<typeof answerSchema>;
export type Answers = z.infer<typeof answersSchema>;

export function readAnswers(): Answers {
  return answersSchema.parse(JSON.parse(readFileSync(ANSWERS_FILE, 'utf8')));
}
