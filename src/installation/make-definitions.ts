import { makeCrd } from '../api/crd/make-crd.ts';
import { IMAGE_JOB } from '../api/image-job.ts';
import { IMAGE_LIST } from '../api/image-list.ts';

/** The definitions of the kinds: to be made before all else, and to be kept for as long as somebody's lists are to be. */
export function makeDefinitions(): object[] {
  return [IMAGE_LIST, IMAGE_JOB].map(makeCrd);
}
