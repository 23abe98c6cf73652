package topic

// Status tells how far a command has come.
type Status string

// Statuses of a command.
const (
	StatusAccepted Status = "accepted" // the intent is on disk; the work will start or be refused
	StatusRunning  Status = "running"  // progress
	StatusDone     Status = "done"     // ended, did what was asked
	StatusFailed   Status = "failed"   // ended, did not; the code says why
	StatusRejected Status = "rejected" // ended, never started
	StatusInDoubt  Status = "indoubt"  // ended, a person must look
)

// Final tells whether the command has ended.
func (s Status) Final() bool {
	switch s {
	case StatusDone, StatusFailed, StatusRejected, StatusInDoubt:
		return true
	default:
		return false
	}
}

// Known tells whether the status is one of the contract.
func (s Status) Known() bool { return s == StatusAccepted || s == StatusRunning || s.Final() }
