package store_test

import (
	"testing"

	"smets1/internal/store"
	"smets1/internal/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return store.Memory() })
}
