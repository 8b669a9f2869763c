import { API_GROUP, RESOURCE_VERSIONS, type CustomResource, type PrinterColumn } from '../custom-resource.ts';
import { toStructuralSchema, type StructuralSchema } from './structural-schema.ts';

/** `kubectl get image-cleaner` shows the objects of all kinds. */
export const CATEGORY = 'image-cleaner';

/** The CustomResourceDefinition of a kind, as plain values: cluster-scoped, one shape in all versions, the status a subresource. */
export function makeCrd(resource: CustomResource): object {
  const { kind, plural, singular, shortNames } = resource;
  const schema = { openAPIV3Schema: wholeObject(resource) };
  const additionalPrinterColumns = resource.columns.map(printerColumn);
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${API_GROUP}` },
    spec: {
      group: API_GROUP,
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories: [CATEGORY] },
      scope: 'Cluster',
      versions: RESOURCE_VERSIONS.map(({ name, deprecated }, at) => ({
        name,
        served: true,
        storage: at === 0,
        ...(deprecated
          ? { deprecated, deprecationWarning: `${API_GROUP}/${name} ${kind} is deprecated; use ${API_GROUP}/${RESOURCE_VERSIONS[0].name}` }
          : {}),
        schema,
        subresources: { status: {} },
        additionalPrinterColumns,
      })),
    },
  };
}

/** The fields of a kind beside what every object has. */
export function ownFields({ schema }: CustomResource): StructuralSchema {
  return toStructuralSchema(schema.omit({ apiVersion: true, kind: true, metadata: true }));
}

/** The API server knows the metadata, and lets nobody describe it. */
function wholeObject(resource: CustomResource): StructuralSchema {
  const { properties, ...whole } = ownFields(resource);
  return {
    description: resource.description,
    ...whole,
    properties: {
      apiVersion: { type: 'string', description: 'The group and version of the object.' },
      kind: { type: 'string', description: 'The kind of the object.' },
      metadata: { type: 'object' },
      ...properties,
    },
  };
}

function printerColumn({ wide = false, ...column }: PrinterColumn): object {
  return wide ? { ...column, priority: 1 } : column;
}
