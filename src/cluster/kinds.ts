import { API_GROUP } from '../api/custom-resource.ts';
import { IMAGE_JOB } from '../api/image-job.ts';
import { IMAGE_LIST } from '../api/image-list.ts';
import type { Resource } from '../kube/resource.ts';

const kind = (plural: string): Resource => ({ group: API_GROUP, version: 'v1', plural, namespaced: false });

export const IMAGE_JOBS = kind(IMAGE_JOB.plural);
export const IMAGE_LISTS = kind(IMAGE_LIST.plural);
