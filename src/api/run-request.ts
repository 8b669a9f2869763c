/**
 * Asks for a run at once. On the configmap of the configuration: each value that the manager has not answered yet is a request. On an ImageJob: the
 * request that it was begun for.
 */
export const RUN_REQUEST_ANNOTATION = 'eraser.sh/run-requested';

/** A token is kept in the manager's state: of a longer one, this is what counts. */
const LONGEST_TOKEN = 128;

/** null: nothing is asked for. */
export function readRunRequest(annotations: unknown): string | null {
  const value = (annotations as Readonly<Record<string, unknown>> | null | undefined)?.[RUN_REQUEST_ANNOTATION];
  return typeof value === 'string' && value !== '' ? value.slice(0, LONGEST_TOKEN) : null;
}
