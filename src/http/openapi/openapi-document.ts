import type { MountedJobs } from '../jobs/job-status.ts'
import type { MountedResource } from '../resource.ts'
import { describeJobs } from './job-operations.ts'
import { rowSchema, type JsonSchema } from './field-schema.ts'
import {
  fieldsParameter,
  keyParameters,
  listParameters,
  parentParameters,
  sharedParameters,
  type Parameter,
} from './parameters.ts'
import { pageSchema, problemSchema, responses, sharedHeaders } from './responses.ts'

/** What an API says of itself. */
export interface ApiInfo {
  /** Default `'API'`. */
  readonly title?: string | undefined
  /** Default `'1.0.0'`. */
  readonly version?: string | undefined
  readonly description?: string | undefined
}

/** An OpenAPI 3.1 document. */
export interface OpenApiDocument {
  readonly openapi: '3.1.1'
  readonly info: { readonly title: string; readonly version: string; readonly description?: string }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string; readonly description?: string }[]
  readonly paths: Readonly<Record<string, unknown>>
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** Where an API is. */
export interface ApiPlace {
  /** The URL that the paths begin at; one that is relative is so to the document. Default `'/'`. */
  readonly server?: string | undefined
  /** Where jobs can be seen. Default: nowhere. */
  readonly jobs?: readonly MountedJobs[] | undefined
}

/** Describes resources in OpenAPI 3.1. */
export function openApiDocument(
  resources: readonly MountedResource[],
  info: ApiInfo = {},
  { server = '/', jobs = [] }: ApiPlace = {},
): OpenApiDocument {
  const names = uniqueNames(resources)
  const schemas: Record<string, JsonSchema> = { Problem: problemSchema, Page: pageSchema }
  const paths: Record<string, unknown> = {}
  for (const [at, resource] of resources.entries()) {
    const name = names[at]!
    const { spec, path, detail } = resource
    schemas[name] = rowSchema(spec.graph, spec.model, spec.fields)
    paths[template(path)] = operation(resource, {
      operationId: `list_${name}`,
      summary: `List ${spec.name}`,
      parameters: [...parentParameters(spec.pathParameters), ...listParameters(spec)],
      schema: {
        type: 'object',
        required: ['data', 'page'],
        properties: {
          data: { type: 'array', items: { $ref: `#/components/schemas/${name}` } },
          page: { $ref: '#/components/schemas/Page' },
        },
      },
    })
    if (!detail) continue
    paths[template(detail.path)] = operation(resource, {
      operationId: `get_${name}`,
      summary: `One of ${spec.name}`,
      parameters: [...parentParameters(spec.pathParameters), ...keyParameters(detail.key), fieldsParameter(spec)],
      schema: { $ref: `#/components/schemas/${name}` },
      missing: true,
    })
  }
  const ofJobs = describeJobs(jobs.map(({ path }) => template(path)))
  Object.assign(schemas, ofJobs.schemas)
  Object.assign(paths, ofJobs.paths)
  const { title = 'API', version = '1.0.0', description } = info
  return {
    openapi: '3.1.1',
    info: { title, version, ...(description === undefined ? {} : { description }) },
    servers: [{ url: server }],
    tags: [...new Set(resources.map(({ spec }) => spec.name))].map((name) => {
      const described = resources.find(({ spec }) => spec.name === name && spec.description !== undefined)?.spec
        .description
      return described === undefined ? { name } : { name, description: described }
    }),
    paths,
    components: { schemas, parameters: sharedParameters, headers: sharedHeaders, responses },
  }
}

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters: readonly Parameter[]
  readonly schema: JsonSchema
  /** True when the row may be missing. */
  readonly missing?: boolean
}

function operation({ spec }: MountedResource, { schema, missing = false, ...described }: Operation): unknown {
  const list = !missing
  return {
    get: {
      ...described,
      ...(spec.description === undefined ? {} : { description: spec.description }),
      tags: [spec.name],
      responses: {
        200: {
          description: list ? 'A page of rows.' : 'The row.',
          headers: {
            ETag: { $ref: '#/components/headers/ETag' },
            ...(list ? { Link: { $ref: '#/components/headers/Link' } } : {}),
            'Cache-Control': { $ref: '#/components/headers/CacheControl' },
            ...(spec.cache
              ? {
                  Vary: { $ref: '#/components/headers/Vary' },
                  'Content-Encoding': { $ref: '#/components/headers/ContentEncoding' },
                }
              : {}),
          },
          content: { 'application/json': { schema } },
        },
        304: { $ref: '#/components/responses/NotModified' },
        400: { $ref: '#/components/responses/BadRequest' },
        ...(missing ? { 404: { $ref: '#/components/responses/NotFound' } } : {}),
        405: { $ref: '#/components/responses/MethodNotAllowed' },
        ...(spec.cache ? { 406: { $ref: '#/components/responses/NotAcceptable' } } : {}),
        500: { $ref: '#/components/responses/Failed' },
        503: { $ref: '#/components/responses/Unavailable' },
        504: { $ref: '#/components/responses/TimedOut' },
      },
    },
  }
}

/** Fastify's `/videos/:id` as OpenAPI writes it: `/videos/{id}`. */
function template(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}')
}

/** A name for each resource that can stand in references: its own, made of its path where two have the same. */
function uniqueNames(resources: readonly MountedResource[]): string[] {
  const used = new Set(['Problem', 'Page', 'Job'])
  return resources.map(({ spec, path }) => {
    const own = spec.name.replaceAll(/\W+/g, '_')
    const name = used.has(own) ? path.replaceAll(/\W+/g, '_').replace(/^_/, '') : own
    used.add(name)
    return name
  })
}
