package topic

import (
	"time"

	"smets1/internal/wire"
)

// What campaign may be asked to do.
const (
	CampaignPlan   = "plan"   // tell the plans of homes, and begin nothing
	CampaignStart  = "start"  // begin; the same specification again is no error
	CampaignStatus = "status" // tell of one, or of all without an id
	CampaignHomes  = "homes"  // tell of homes, from one on
	CampaignPause  = "pause"
	CampaignResume = "resume"
	CampaignAbort  = "abort"
)

// CampaignArgs are the arguments of campaign.
type CampaignArgs struct {
	Op     string        `json:"op"`
	ID     string        `json:"id,omitzero"`     // of all but plan, start and status of all
	Spec   *CampaignSpec `json:"spec,omitzero"`   // of plan and start
	Reason string        `json:"reason,omitzero"` // of pause and abort
	From   int           `json:"from,omitzero"`   // of homes: how many to leave out
}

// CampaignSpec says what a campaign is to do.
type CampaignSpec struct {
	ID string `json:"id"`
	// Hubs are the homes; none means all of the gateway.
	Hubs []wire.EUI64 `json:"hubs,omitzero"`
	// To is the version to come to by type of device, Combination a row of the eligible combinations; neither means
	// the newest releases.
	To          map[string]string `json:"to,omitzero"`
	Combination string            `json:"combination,omitzero"`
	// Releases are release manifests, each the text of one, format smets1-firmware-release/1.
	Releases    []string        `json:"releases"`
	Waves       []int           `json:"waves,omitzero"`       // homes in each; the rest is the last
	Concurrency int             `json:"concurrency,omitzero"` // homes at once; zero means 64
	Windows     []string        `json:"windows,omitzero"`     // 22:00-05:00, UTC; none means always
	HaltRate    float64         `json:"halt_rate,omitzero"`   // part of failed homes that stops it; zero means never
	HaltAfter   int             `json:"halt_after,omitzero"`  // homes that must have ended before; zero means 20
	Retry       []CampaignRetry `json:"retry,omitzero"`
}

// CampaignRetry is the policy for one cause of failure.
type CampaignRetry struct {
	Code     Code    `json:"code"`
	Attempts int     `json:"attempts"` // in all
	Wait     float64 `json:"wait_seconds"`
}

// CampaignResult is the result of campaign.
type CampaignResult struct {
	Campaigns []CampaignReport `json:"campaigns,omitzero"`
	Homes     []CampaignHome   `json:"homes,omitzero"` // of plan and homes
	Next      int              `json:"next,omitzero"`  // From of the next page of homes; zero after the last
}

// CampaignReport is what a campaign has come to.
type CampaignReport struct {
	ID      string          `json:"id"`
	State   string          `json:"state"` // running, paused, halted, aborted, ended
	Reason  string          `json:"reason,omitzero"`
	Homes   int             `json:"homes"`
	Waiting int             `json:"waiting"`
	Working int             `json:"working"`
	Done    int             `json:"done"`
	Failed  int             `json:"failed"`
	Skipped int             `json:"skipped"`
	Steps   int             `json:"steps"` // done
	Wave    int             `json:"wave"`  // from one
	Waves   int             `json:"waves"`
	Causes  []CampaignCause `json:"causes,omitzero"` // of failed homes
	Started time.Time       `json:"started"`
	Ended   time.Time       `json:"ended,omitzero"`
	// Forecast is when it will have ended at the pace so far, in its windows; absent if nothing has ended yet or it
	// does not run.
	Forecast time.Time `json:"forecast,omitzero"`
	// Next is when the next step may begin, if that is not now.
	Next time.Time `json:"next,omitzero"`
}

// CampaignCause counts failed homes by code.
type CampaignCause struct {
	Code  Code `json:"code"`
	Homes int  `json:"homes"`
}

// CampaignHome is where a home stands.
type CampaignHome struct {
	Hub   wire.EUI64     `json:"hub"`
	Wave  int            `json:"wave"`  // from one
	State string         `json:"state"` // waiting, working, done, failed, skipped; planned of plan
	Step  int            `json:"step"`  // steps of the plan that are done
	Plan  []CampaignStep `json:"plan,omitzero"`
	Tries int            `json:"tries"` // commands in all
	Code  Code           `json:"code,omitzero"`
	Why   string         `json:"why,omitzero"` // of the last failure
	Ended time.Time      `json:"ended,omitzero"`
}

// CampaignStep is a step of a home's plan, with what came of it.
type CampaignStep struct {
	Device  Device                 `json:"device"`
	Role    string                 `json:"role"`
	From    string                 `json:"from"`
	Version string                 `json:"version"`
	Image   string                 `json:"image"`
	Why     string                 `json:"why"`
	Result  *FirmwareUpgradeResult `json:"result,omitzero"` // of the last attempt
}
