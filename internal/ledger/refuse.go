package ledger

import (
	"fmt"
	"slices"
)

// refuse takes out of a judgement what judge refused: it is answered, and nothing
// of it is kept, so the same request is judged anew when it comes again.
func (u *update) refuse(j Judgement) (Judgement, error) {
	if j.Refused != nil && len(j.Refused) != len(u.fresh) {
		return j, fmt.Errorf("judge gave %d refusals to %d requests", len(j.Refused), len(u.fresh))
	}
	if !slices.ContainsFunc(j.Refused, func(err error) bool { return err != nil }) {
		return j, nil
	}
	fresh, answers := u.fresh, j.Answers
	u.fresh, j.Answers = make([]int, 0, len(fresh)), make([][]byte, 0, len(fresh))
	for i, n := range fresh {
		if err := j.Refused[i]; err != nil {
			u.results[n] = Result{Err: err}
			continue
		}
		u.fresh, j.Answers = append(u.fresh, n), append(j.Answers, answers[i])
	}
	return j, nil
}
