package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

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
	History []string `json:"history"` // every text it ever had: what only the stand-in can tell
}

type store struct {
	mu      sync.Mutex
	file    string
	Records []*record `json:"records"`
}

func openStore(file string) (*store, error) {
	s := &store{file: file}
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(b, s)
}

func (s *store) save() {
	b, _ := json.MarshalIndent(s, "", " ")
	if os.WriteFile(s.file+".new", b, 0o600) == nil {
		_ = os.Rename(s.file+".new", s.file)
	}
}

func (s *store) all() []*record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*record{}, s.Records...)
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

// normalise trims tags as Grafana stores them, and checks the sum limit.
func normalise(tags []string) ([]string, error) {
	sum := 2
	out := []string{}
	for i, t := range tags {
		key, value, pair := strings.Cut(t, ":")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if len(key) > 100 || len(value) > 100 {
			return nil, fmt.Errorf("a tag's key or value is longer than 100")
		}
		if pair {
			t = key + ":" + value
		} else {
			t = key
		}
		sum += len(t) + 2
		if i > 0 {
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
	n := &record{ID: int64(len(s.store.Records) + 1), Text: *c.Text, Tags: tags, Time: c.Time, TimeEnd: c.TimeEnd, Created: now, Updated: now,
		History: []string{*c.Text}}
	if n.Time == 0 {
		n.Time = now
	}
	if n.TimeEnd == 0 {
		n.TimeEnd = n.Time
	}
	if n.TimeEnd < n.Time {
		n.Time, n.TimeEnd = n.TimeEnd, n.Time
	}
	s.store.Records = append(s.store.Records, n)
	s.store.save()
	answer(w, http.StatusOK, map[string]any{"message": "Annotation added", "id": n.ID})
}

func (s *server) change(w http.ResponseWriter, n *record, text string, tags []string, begin, end int64, all bool) {
	if all || tags != nil {
		normal, err := normalise(tags)
		if err != nil {
			limitExceeded(w, err)
			return
		}
		n.Tags = normal
	}
	if all || text != "" {
		n.Text = text
		n.History = append(n.History, text)
	}
	if begin != 0 {
		n.Time = begin
	}
	if end != 0 {
		n.TimeEnd = end
	}
	n.Updated = time.Now().UnixMilli()
	s.store.save()
	word := "patched"
	if all {
		word = "updated"
	}
	answer(w, http.StatusOK, map[string]string{"message": "Annotation " + word})
}

func (s *server) one(w http.ResponseWriter, r *http.Request, n *record) {
	switch r.Method {
	case http.MethodGet:
		answer(w, http.StatusOK, item(n))
	case http.MethodPatch:
		var c models.PatchAnnotationsCmd
		if err := decode(r, &c); err != nil {
			refuse(w, http.StatusBadRequest, "bad request data: "+err.Error(), "")
			return
		}
		s.change(w, n, c.Text, c.Tags, c.Time, c.TimeEnd, false)
	case http.MethodPut:
		var c models.UpdateAnnotationsCmd
		if err := decode(r, &c); err != nil {
			refuse(w, http.StatusBadRequest, "bad request data: "+err.Error(), "")
			return
		}
		s.change(w, n, c.Text, c.Tags, c.Time, c.TimeEnd, true)
	case http.MethodDelete:
		n.Deleted = true
		s.store.save()
		answer(w, http.StatusOK, map[string]string{"message": "Annotation deleted"})
	default:
		refuse(w, http.StatusMethodNotAllowed, "method not allowed", "")
	}
}

func item(n *record) map[string]any {
	return map[string]any{"id": n.ID, "alertId": 0, "alertName": "", "dashboardId": 0, "dashboardUID": nil, "panelId": 0, "userId": 0,
		"newState": "", "prevState": "", "created": n.Created, "updated": n.Updated, "time": n.Time, "timeEnd": n.TimeEnd, "text": n.Text,
		"tags": n.Tags, "login": "sa-heald", "email": "", "avatarUrl": "", "data": map[string]any{}}
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
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(list)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
}

func (s *server) annotations(w http.ResponseWriter, r *http.Request) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	rest := strings.TrimPrefix(r.URL.Path, "/api/annotations")
	switch {
	case rest == r.URL.Path:
		refuse(w, http.StatusNotFound, "Not found", "")
	case rest == "" && r.Method == http.MethodPost:
		s.create(w, r)
	case rest == "" && r.Method == http.MethodGet:
		s.search(w, r)
	default:
		id, err := strconv.ParseInt(strings.TrimPrefix(rest, "/"), 10, 64)
		n := s.store.find(id)
		if err != nil || n == nil {
			refuse(w, http.StatusNotFound, "Annotation not found", "")
			return
		}
		s.one(w, r, n)
	}
}
