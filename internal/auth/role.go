package auth

import (
	"slices"
	"strings"
)

// Roles are a set of what a caller may do. No role includes another.
type Roles uint8

// The roles.
const (
	Reporter Roles = 1 << iota // tells of failures and good experiences
	Agent                      // works on cases
	Approver                   // approves offers
	Reader                     // looks
	Privacy                    // erases customers
	Admin                      // checks and tries out policies
)

// everyRole is what everybody has when nobody is asked.
const everyRole = Reporter | Agent | Approver | Reader | Privacy | Admin

// roleNames are as in the access file, in the order of the constants.
var roleNames = []string{"reporter", "agent", "approver", "reader", "privacy", "admin"}

// rolesOf reads names of the access file.
func rolesOf(names []string) (r Roles) {
	for _, name := range names {
		if i := slices.Index(roleNames, name); i >= 0 {
			r |= 1 << i
		}
	}
	return r
}

// Names are those of the access file.
func (r Roles) Names() (names []string) {
	for i, name := range roleNames {
		if r&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// String lists the names.
func (r Roles) String() string { return strings.Join(r.Names(), ", ") }
