package main

import (
	"fmt"
	"io"

	"smets1/cmd/internal/config"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

func rolesOf(words []string) []topic.Role {
	roles := make([]topic.Role, len(words))
	for i, w := range words {
		roles[i] = topic.Role(w) // the configuration was checked
	}
	return roles
}

// clients are the names in reply topics, with their roles; nil means that everybody may do everything.
func clients(c *config.Config) map[string][]topic.Role {
	names := map[string][]topic.Role{}
	for _, x := range c.Broker.Clients {
		names[x.Name] = rolesOf(x.Roles)
	}
	for _, u := range c.Broker.Users {
		if len(u.Roles) == 0 { // it may use any name, so that no name tells anything
			return nil
		}
		names[u.Name] = rolesOf(u.Roles)
	}
	if len(names) == 0 {
		return nil
	}
	return names
}

func (d *daemon) roles() func(string) []topic.Role {
	names := clients(d.cfg)
	if names == nil {
		return nil
	}
	return func(client string) []topic.Role { return names[client] }
}

// permit holds verbs that cannot be undone to the hubs that are permitted them. Virtual homes may be lost.
func (d *daemon) permit() func(wire.EUI64, topic.Verb) error {
	if d.fleet != nil {
		return nil
	}
	allowed := map[wire.EUI64]map[topic.Verb]bool{}
	for _, h := range d.cfg.Hubs {
		m := map[topic.Verb]bool{}
		for _, v := range h.Permit {
			m[topic.Verb(v)] = true
		}
		allowed[h.EUI] = m
	}
	return func(hub wire.EUI64, v topic.Verb) error {
		if m := allowed[hub]; m[v] || m[config.PermitAll] {
			return nil
		}
		return topic.NewError(topic.CodeForbidden, fmt.Sprintf("%s has a step that cannot be undone, and this hub is not permitted it", v), "hub "+hub.String(),
			"add the verb to the hub's permit in the gateway's configuration")
	}
}

// writeACL prints the access list of a mosquitto broker for the clients of a configuration.
func writeACL(w io.Writer, c *config.Config) error {
	tree, err := topic.NewTree(c.Fleet.Name)
	if err != nil {
		return err
	}
	p := func(format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, format, args...)
		}
	}
	p("# Access list for mosquitto (acl_file), made by smets1d config acl.\n")
	if c.Broker.User != "" {
		p("\n# the gateway\nuser %s\ntopic readwrite %s/#\n", c.Broker.User, tree.Root())
	}
	for _, x := range c.Broker.Clients {
		p("\n# %v\nuser %s\n", x.Roles, x.Name)
		for _, t := range tree.Publishes(rolesOf(x.Roles)...) {
			p("topic write %s\n", t)
		}
		for _, t := range tree.Subscribes(x.Name) {
			p("topic read %s\n", t)
		}
	}
	return err
}
