package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"smets1/firmware"
	"smets1/gateway/job"
	"smets1/gateway/topic"
	"smets1/internal/wire"
)

// Page is how many homes one answer tells of.
const Page = 100

// Handler is the handler of the verb campaign. all gives the hubs of the gateway.
func (m *Manager) Handler(all func() []wire.EUI64) job.Handler {
	return job.HandlerFunc(func(ctx context.Context, t *job.Task) (any, error) {
		var a topic.CampaignArgs
		if err := t.DecodeArgs(&a); err != nil {
			return nil, err
		}
		return m.answer(ctx, t.ID, a, all)
	})
}

func (m *Manager) answer(ctx context.Context, id string, a topic.CampaignArgs, all func() []wire.EUI64) (topic.CampaignResult, error) {
	one := func(r Report, err error) (topic.CampaignResult, error) {
		if err != nil {
			return topic.CampaignResult{}, topic.Wrap(codeOf(err), err, "campaign", "look at its status")
		}
		return topic.CampaignResult{Campaigns: []topic.CampaignReport{r}}, nil
	}
	switch a.Op {
	case topic.CampaignPlan, topic.CampaignStart:
		s, err := SpecOf(a.Spec, all())
		if err == nil {
			err = s.validate()
		}
		if err != nil {
			return topic.CampaignResult{}, topic.Wrap(topic.CodeBadArgs, err, "member spec", "correct it")
		}
		if a.Op == topic.CampaignStart {
			return one(m.Start(ctx, s))
		}
		return m.plans(ctx, id, s), nil
	case topic.CampaignStatus:
		if a.ID == "" {
			return topic.CampaignResult{Campaigns: m.Reports()}, nil
		}
		return one(m.Report(a.ID))
	case topic.CampaignPause:
		return one(m.Pause(ctx, a.ID, a.Reason))
	case topic.CampaignResume:
		return one(m.Resume(ctx, a.ID))
	case topic.CampaignAbort:
		return one(m.Abort(ctx, a.ID, a.Reason))
	case topic.CampaignHomes:
		homes, err := m.Homes(a.ID, a.From, Page)
		if err != nil {
			return one(Report{}, err)
		}
		r := topic.CampaignResult{}
		for i := range homes {
			r.Homes = append(r.Homes, homes[i].told())
		}
		if len(homes) == Page {
			r.Next = max(a.From, 0) + Page
		}
		return r, nil
	}
	return topic.CampaignResult{}, topic.NewError(topic.CodeBadArgs, fmt.Sprintf("op is %.20q", a.Op), "member op",
		"use plan, start, status, homes, pause, resume or abort")
}

func codeOf(err error) topic.Code {
	if errors.Is(err, ErrUnknown) || errors.Is(err, ErrExists) || errors.Is(err, ErrState) {
		return topic.CodeBadArgs
	}
	return topic.CodeStorage
}

// SpecOf reads the specification of the contract. Without hubs it is about all.
func SpecOf(a *topic.CampaignSpec, all []wire.EUI64) (Spec, error) {
	if a == nil {
		return Spec{}, errors.New("campaign: there is no specification")
	}
	s := Spec{
		ID: a.ID, Hubs: a.Hubs, To: a.To, Combination: a.Combination, Waves: a.Waves, Concurrency: a.Concurrency, HaltRate: a.HaltRate, HaltAfter: a.HaltAfter,
	}
	if len(s.Hubs) == 0 {
		s.Hubs = all
	}
	for _, raw := range a.Releases {
		r, err := firmware.ParseRelease([]byte(raw))
		if err != nil {
			return Spec{}, err
		}
		s.Releases = append(s.Releases, r)
	}
	for _, text := range a.Windows {
		w, err := ParseWindow(text)
		if err != nil {
			return Spec{}, err
		}
		s.Windows = append(s.Windows, w)
	}
	for _, r := range a.Retry {
		if s.Retry == nil {
			s.Retry = map[topic.Code]Retry{}
		}
		s.Retry[r.Code] = Retry{r.Attempts, time.Duration(r.Wait * float64(time.Second))}
	}
	return s, nil
}

// plans looks at the first homes and tells their plans.
func (m *Manager) plans(ctx context.Context, id string, s Spec) topic.CampaignResult {
	var r topic.CampaignResult
	for _, hub := range s.Hubs[:min(len(s.Hubs), Page)] {
		h := topic.CampaignHome{Hub: hub, Wave: 1, State: "planned"}
		home, err := m.c.Doer.Look(ctx, fmt.Sprintf("%s/%s", id, hub), hub)
		var plan []Planned
		if err == nil {
			plan, err = PlanOf(&s, home)
		}
		if err != nil {
			h.State = string(Failed)
			h.Code, h.Why = explain(err)
		}
		h.Plan = told(plan, nil)
		r.Homes = append(r.Homes, h)
	}
	return r
}

func (h *Home) told() topic.CampaignHome {
	return topic.CampaignHome{
		Hub: h.Hub, Wave: h.Wave + 1, State: string(h.Phase), Step: h.Step, Plan: told(h.Plan, h.Evidence), Tries: h.Tries, Code: h.Code, Why: h.Message, Ended: h.Ended,
	}
}

func told(plan []Planned, evidence []Evidence) []topic.CampaignStep {
	var all []topic.CampaignStep
	for _, p := range plan {
		all = append(all, topic.CampaignStep{Device: p.Device, Role: p.Role, From: p.From, Version: p.Version, Image: p.Image.String(), Why: p.Why})
	}
	for _, e := range evidence {
		all[e.Step].Result = e.Result
	}
	return all
}
