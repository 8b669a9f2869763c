import { describe, expect, test } from 'vitest';
import { IMAGE_JOB } from '../image-job.ts';
import { IMAGE_LIST } from '../image-list.ts';
import { makeCrd } from './make-crd.ts';

describe.each([IMAGE_LIST, IMAGE_JOB])('the definition of $kind', (resource) => {
  const crd = makeCrd(resource);
  const names = { kind: resource.kind, plural: resource.plural, singular: resource.singular };

  test('is cluster-scoped, with its names', () => {
    expect(crd).toMatchObject({
      metadata: { name: `${resource.plural}.eraser.sh` },
      spec: { group: 'eraser.sh', scope: 'Cluster', names: { ...names, listKind: `${resource.kind}List`, categories: ['image-cleaner'] } },
    });
  });

  test('serves v1, which is stored, and v1alpha1, which is deprecated, with the same shape', () => {
    const shape = {
      schema: { openAPIV3Schema: expect.objectContaining({ type: 'object', description: resource.description }) as unknown },
      served: true,
      subresources: { status: {} },
    };
    const warning = `eraser.sh/v1alpha1 ${resource.kind} is deprecated; use eraser.sh/v1`;
    expect(crd).toMatchObject({
      spec: {
        versions: [
          { name: 'v1', storage: true, ...shape },
          { name: 'v1alpha1', storage: false, deprecated: true, deprecationWarning: warning, ...shape },
        ],
      },
    });
  });

  test('says nothing of the metadata, which the API server does not allow, and requires nothing that Eraser does not', () => {
    const whole = { openAPIV3Schema: { properties: { metadata: { type: 'object' }, status: { type: 'object' } } } };
    expect(crd).toMatchObject({ spec: { versions: [{ schema: whole }, { schema: whole }] } });
    expect(crd).not.toHaveProperty('spec.versions.0.schema.openAPIV3Schema.required');
    expect(crd).not.toHaveProperty('spec.versions.0.schema.openAPIV3Schema.properties.status.required');
  });

  test('every condition says which status is the good one', () => {
    for (const { polarity, meaning } of Object.values(resource.conditions)) {
      expect(polarity).toMatch(/^(normal|abnormal)-true$/);
      expect(meaning).toMatch(/^True: /);
    }
  });
});
