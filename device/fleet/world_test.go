package fleet

// home gives a home at run time. Nobody else may move it meanwhile.
func (f *Fleet) home(i int) (*home, error) {
	s := f.shard(i)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.home(i)
}

func (f *Fleet) byName(name string) (*home, error) {
	i, ok := f.manifest.find(name)
	if !ok {
		return nil, ErrNoHome
	}
	return f.home(i)
}
