package server

import (
	"slices"

	"smets1/dlms/axdr"
	"smets1/dlms/cosem"
)

// Users of an association (class 15 attributes 10 and 11, methods 5 and 6; published, recalled here): structure {id
// unsigned, name visible-string}.

func appendUser(b []byte, u User) []byte {
	b = axdr.AppendStructureHeader(b, 2)
	b = axdr.AppendUint8(b, u.ID)
	return axdr.AppendVisibleString(b, u.Name)
}

func readUser(arg []byte) (User, error) {
	r := axdr.NewReader(arg)
	r.Structure(2)
	u := User{ID: r.Uint8(), Name: string(r.VisibleString())}
	return u, argument(&r)
}

func userName(users []User, id uint8) *User {
	if i := slices.IndexFunc(users, func(u User) bool { return u.ID == id }); i >= 0 {
		return &users[i]
	}
	return nil
}

// addUser adds a user; the same id gets a new name.
func addUser(list *[]User, arg []byte) error {
	u, err := readUser(arg)
	if err != nil {
		return err
	}
	*list = put(*list, u, func(o User) bool { return o.ID == u.ID })
	return nil
}

// removeUser removes a user who has that id and name.
func removeUser(list *[]User, arg []byte) error {
	u, err := readUser(arg)
	if err != nil {
		return err
	}
	rest, ok := without(*list, func(o User) bool { return o == u })
	if !ok {
		return cosem.ActionObjectUndefined
	}
	*list = rest
	return nil
}
