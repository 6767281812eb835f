package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-openapi/strfmt"
	"github.com/grafana/grafana-openapi-client-go/models"
)

const tagsLength = 500 // [annotations] tags_length

type record struct {
	ID      int64    `json:"id"`
	Text    string   `json:"text"`
	Tags    []string `json:"tags"`
	Time    int64    `json:"time"`
	TimeEnd int64    `json:"timeEnd"`
	Created int64    `json:"created"`
	Updated int64    `json:"updated"`
	Deleted bool     `json:"deleted,omitempty"`
	Data    any      `json:"data"`
	History []change `json:"history"` // what only the stand-in can tell
}

// change is what an annotation was after one call.
type change struct {
	At      int64    `json:"at"`
	Call    string   `json:"call"` // created, patched, updated, deleted
	Text    string   `json:"text"`
	Tags    []string `json:"tags"`
	Time    int64    `json:"time"`
	TimeEnd int64    `json:"timeEnd"`
}

func (n *record) remember(call string, at int64) {
	n.Updated = at
	n.History = append(n.History, change{at, call, n.Text, n.Tags, n.Time, n.TimeEnd})
}

type store struct {
	mu      sync.Mutex
	file    string
	Records []*record `json:"records"`
}

func openStore(file string) (*store, error) {
	s := &store{file: file, Records: []*record{}}
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(b, s)
}

// save writes all records; a stand-in that cannot keep them is of no use.
func (s *store) save() {
	b, err := json.MarshalIndent(s, "", " ")
	if err == nil {
		err = os.WriteFile(s.file+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(s.file+".new", s.file)
	}
	if err != nil {
		log.Fatalf("annotations cannot be kept: %v", err)
	}
}

func (s *store) find(id int64) *record {
	for _, r := range s.Records {
		if r.ID == id && !r.Deleted {
			return r
		}
	}
	return nil
}

type validator interface{ Validate(strfmt.Registry) error }

// decode refuses unknown fields and what the published model refuses.
func decode(r *http.Request, into validator) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return fmt.Errorf("content type is not application/json")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	return into.Validate(strfmt.Default)
}

// normalise trims tags as Grafana stores them, drops empty and double ones, and checks the sum limit.
func normalise(tags []string) ([]string, error) {
	sum := 2
	out := []string{}
	for _, t := range tags {
		key, value, pair := strings.Cut(t, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if utf8.RuneCountInString(key) > 100 || utf8.RuneCountInString(value) > 100 {
			return nil, fmt.Errorf("a tag's key or value is longer than 100 characters")
		}
		t = key
		if pair {
			t = key + ":" + value
		}
		if key == "" || slices.Contains(out, t) {
			continue
		}
		sum += len(t) + 2
		if len(out) > 0 {
			sum++
		}
		out = append(out, t)
	}
	if sum > tagsLength {
		return nil, fmt.Errorf("tags length (%d) exceeds the maximum (%d)", sum, tagsLength)
	}
	return out, nil
}

func limitExceeded(w http.ResponseWriter, err error) {
	refuse(w, http.StatusBadRequest, err.Error(), "annotations.tag-limit-exceeded")
}

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	var c models.PostAnnotationsCmd
	if err := decode(r, &c); err != nil {
		refuse(w, http.StatusBadRequest, "bad request data: "+err.Error(), "")
		return
	}
	if c.Text == nil || *c.Text == "" {
		refuse(w, http.StatusBadRequest, "Failed to save annotation: text field should not be empty", "")
		return
	}
	tags, err := normalise(c.Tags)
	if err != nil {
		limitExceeded(w, err)
		return
	}
	now := time.Now().UnixMilli()
	n := &record{ID: int64(len(s.store.Records) + 1), Text: *c.Text, Tags: tags, Time: c.Time, TimeEnd: c.TimeEnd, Created: now, Data: c.Data}
	if n.Time == 0 {
		n.Time = now
	}
	if n.TimeEnd == 0 {
		n.TimeEnd = n.Time
	}
	if n.TimeEnd < n.Time {
		n.Time, n.TimeEnd = n.TimeEnd, n.Time
	}
	n.remember("created", now)
	s.store.Records = append(s.store.Records, n)
	s.store.save()
	answer(w, http.StatusOK, map[string]any{"message": "Annotation added", "id": n.ID})
}

// change overwrites text and tags when all of them are replaced (PUT), else only what is given (PATCH); times of 0 never change.
func (s *server) change(w http.ResponseWriter, n *record, to change, all bool) {
	tags, err := normalise(to.Tags)
	if err != nil {
		limitExceeded(w, err)
		return
	}
	if all || to.Tags != nil {
		n.Tags = tags
	}
	if all || to.Text != "" {
		n.Text = to.Text
	}
	if to.Time != 0 {
		n.Time = to.Time
	}
	if to.TimeEnd != 0 {
		n.TimeEnd = to.TimeEnd
	}
	n.remember(to.Call, to.At)
	s.store.save()
	answer(w, http.StatusOK, map[string]string{"message": "Annotation " + to.Call})
}

func (s *server) one(w http.ResponseWriter, r *http.Request, n *record) {
	now := time.Now().UnixMilli()
	switch r.Method {
	case http.MethodGet:
		answer(w, http.StatusOK, item(n))
	case http.MethodPatch:
		var c models.PatchAnnotationsCmd
		if err := decode(r, &c); err != nil {
			refuse(w, http.StatusBadRequest, "bad request data: "+err.Error(), "")
			return
		}
		if c.Data != nil {
			n.Data = c.Data
		}
		s.change(w, n, change{now, "patched", c.Text, c.Tags, c.Time, c.TimeEnd}, false)
	case http.MethodPut:
		var c models.UpdateAnnotationsCmd
		if err := decode(r, &c); err != nil {
			refuse(w, http.StatusBadRequest, "bad request data: "+err.Error(), "")
			return
		}
		n.Data = c.Data
		s.change(w, n, change{now, "updated", c.Text, c.Tags, c.Time, c.TimeEnd}, true)
	case http.MethodDelete:
		n.Deleted = true
		n.remember("deleted", now)
		s.store.save()
		answer(w, http.StatusOK, map[string]string{"message": "Annotation deleted"})
	default:
		refuse(w, http.StatusMethodNotAllowed, "method not allowed", "")
	}
}

func item(n *record) map[string]any {
	data := n.Data
	if data == nil {
		data = map[string]any{}
	}
	return map[string]any{"id": n.ID, "alertId": 0, "alertName": "", "dashboardId": 0, "dashboardUID": nil, "panelId": 0, "userId": 0,
		"newState": "", "prevState": "", "created": n.Created, "updated": n.Updated, "time": n.Time, "timeEnd": n.TimeEnd, "text": n.Text,
		"tags": n.Tags, "login": "sa-heald", "email": "", "avatarUrl": "", "data": data}
}

// rows counts the tag rows that the query tags match: "k" matches every "k:..."; AND search compares the count with the number of query tags.
func rows(have, wanted []string) int {
	n := 0
	for _, h := range have {
		for _, w := range wanted {
			key, _, _ := strings.Cut(h, ":")
			if h == w || (!strings.Contains(w, ":") && key == w) {
				n++
			}
		}
	}
	return n
}

func (s *server) search(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, _ := strconv.ParseInt(q.Get("from"), 10, 64)
	to, _ := strconv.ParseInt(q.Get("to"), 10, 64)
	limit, _ := strconv.Atoi(q.Get("limit"))
	if limit <= 0 {
		limit = 100
	}
	wanted := q["tags"]
	found := []*record{}
	for _, n := range s.store.Records {
		c := rows(n.Tags, wanted)
		match := len(wanted) == 0 || c == len(wanted) || (q.Get("matchAny") == "true" && c > 0)
		if n.Deleted || !match || (from > 0 && to > 0 && (n.TimeEnd < from || n.Time > to)) {
			continue
		}
		found = append(found, n)
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].TimeEnd > found[j].TimeEnd })
	list := []map[string]any{}
	for i := 0; i < len(found) && i < limit; i++ {
		list = append(list, item(found[i]))
	}
	answer(w, http.StatusOK, list)
}

func (s *server) annotations(w http.ResponseWriter, r *http.Request) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	rest, found := strings.CutPrefix(r.URL.Path, "/api/annotations")
	switch {
	case found && rest == "" && r.Method == http.MethodPost:
		s.create(w, r)
	case found && rest == "" && r.Method == http.MethodGet:
		s.search(w, r)
	case found && strings.HasPrefix(rest, "/"):
		id, err := strconv.ParseInt(rest[1:], 10, 64)
		n := s.store.find(id)
		if err != nil || n == nil {
			refuse(w, http.StatusNotFound, "Annotation not found", "")
			return
		}
		s.one(w, r, n)
	default:
		refuse(w, http.StatusNotFound, "Not found", "")
	}
}
