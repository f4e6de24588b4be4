import { existsSync } from 'node:fs'

/** A Python that reads spreadsheets by openpyxl; undefined when there is none. */
export function findOpenpyxl(): string | undefined {
  const python = '/usr/bin/python3'
  return existsSync(python) && existsSync('/usr/lib/python3/dist-packages/openpyxl') ? python : undefined
}
