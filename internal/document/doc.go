// Package document reads the YAML files that people write for the service, each
// straight into the message that is its schema, and reports every fault at once
// with its line and column.
//
// The schema is typed (enums, durations); the short spellings that people like,
// such as C or 180d, are put right on the YAML tree while it is read, so that
// the places of all fields stay what they were. The rules of single fields stand
// in the schema. What several fields must agree on is for the reader of the
// document, which points at the faults it finds with [Document.Add].
package document
