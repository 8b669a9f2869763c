import { API_GROUP, RESOURCE_VERSIONS } from '../api/custom-resource.ts';
import { IMAGE_JOB } from '../api/image-job.ts';
import { IMAGE_LIST } from '../api/image-list.ts';
import type { Resource } from '../kube/resource.ts';

const ownKind = (plural: string): Resource => ({ group: API_GROUP, version: RESOURCE_VERSIONS[0].name, plural, namespaced: false });

export const IMAGE_JOBS = ownKind(IMAGE_JOB.plural);
export const IMAGE_LISTS = ownKind(IMAGE_LIST.plural);
