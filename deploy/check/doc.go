// Package check tests the files of deploy/ as far as that goes without a
// container engine, a cluster or an init system: each against its schema, the
// promises about them one by one, and the steps of the Dockerfile by carrying
// them out. It is a module of its own, so that what it stands on is not ours.
package check
