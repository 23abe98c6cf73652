package node

import (
	"smets1/internal/wire"
	"smets1/zigbee/security"
)

type keyKind uint8

const (
	preconfigured keyKind = iota // of the install code: for key transport only
	established                  // of key establishment, or given by the trust centre under the policy Open
	application                  // with a partner, given by the trust centre
)

// linkKey is a key that this node shares with one other.
type linkKey struct {
	partner wire.EUI64 // zero: the trust centre that a joiner has not met yet
	kind    keyKind
	key     security.Key
	rx      security.ReceiveCounter
	ciphers [4]*security.Cipher // by key identifier
}

// cipher for a use of the key.
func (k *linkKey) cipher(id security.KeyID) (*security.Cipher, error) {
	id &= 3
	if k.ciphers[id] != nil {
		return k.ciphers[id], nil
	}
	key := k.key
	switch id {
	case security.KeyIDTransport:
		key = key.KeyTransport()
	case security.KeyIDLoad:
		key = key.KeyLoad()
	default:
	}
	c, err := security.NewCipher(key)
	if err == nil {
		k.ciphers[id] = c
	}
	return c, err
}

func (n *Node) keyWith(e wire.EUI64, kinds ...keyKind) *linkKey {
	for _, kind := range kinds {
		for _, k := range n.keys {
			if k.partner == e && k.kind == kind {
				return k
			}
		}
	}
	return nil
}

// establishedKey is the key that secures what goes to a device's clusters.
func (n *Node) establishedKey(e wire.EUI64) *linkKey {
	return n.keyWith(e, application, established)
}

// setKey puts a key in place of one of the same kind.
func (n *Node) setKey(e wire.EUI64, kind keyKind, key security.Key) *linkKey {
	n.dropKeys(func(k *linkKey) bool { return k.partner == e && k.kind == kind })
	k := &linkKey{partner: e, kind: kind, key: key}
	n.keys = append(n.keys, k)
	n.dirty = true
	return k
}

func (n *Node) dropKeys(drop func(*linkKey) bool) {
	kept := n.keys[:0]
	for _, k := range n.keys {
		if drop(k) {
			n.dirty = true
			continue
		}
		kept = append(kept, k)
	}
	clear(n.keys[len(kept):])
	n.keys = kept
}

// joinKey is the key that the node was given before it joined.
func (n *Node) joinKey() *linkKey {
	for _, k := range n.keys {
		if k.kind == preconfigured && k.key.Equal(n.cfg.LinkKey) {
			return k
		}
	}
	if n.cfg.LinkKey.IsZero() || n.cfg.Role == Coordinator {
		return nil
	}
	return n.setKey(n.trustCentre, preconfigured, n.cfg.LinkKey)
}

// HasLinkKey tells whether the clusters of a device can be reached under a link key.
func (n *Node) HasLinkKey(e wire.EUI64) bool { return n.establishedKey(e) != nil }

// LinkKey gives the established key with a device, for the key file beside a capture.
func (n *Node) LinkKey(e wire.EUI64) (security.Key, bool) {
	if k := n.establishedKey(e); k != nil {
		return k.key, true
	}
	return security.Key{}, false
}

// NetworkKey gives the network key in use, for the key file beside a capture.
func (n *Node) NetworkKey() security.Key { return n.nets[0].key }
