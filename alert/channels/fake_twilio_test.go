package channels

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"coldkeep/alert"
)

// fakeTwilio is Twilio's REST API of 2010-04-01, as far as messages and calls
// go: its checks in their order, its error codes, its lists with pages.
type fakeTwilio struct {
	account, token, number string
	gone                   chan struct{} // closed: requests that hang end

	mu       sync.Mutex
	n        int
	messages []*fakeMessage // in order of creation
	calls    []*fakeCall
	faults   []farFault
	become   []string // states a new message or call goes through, one at each look; "undelivered 30003"
	asked    []fakeRequest
	listing  []farFault // faults of lists
	ahead    time.Duration
	doubled  map[string]bool // messages that the list gives twice
}

type fakeRequest struct {
	method, path string
	query, form  url.Values
	header       http.Header
}

type fakeMessage struct {
	sid, from, to, body, status, direction string
	code                                   int
	at                                     time.Time
	become                                 []string
	validity                               string
}

type fakeCall struct {
	sid, from, to, twiml, status string
	become                       []string
}

func newFakeTwilio() *fakeTwilio {
	return &fakeTwilio{account: "AC" + strings.Repeat("0a", 16), token: "f00dcafe-token", number: "+15005550006", gone: make(chan struct{}), doubled: map[string]bool{}}
}

func (f *fakeTwilio) settings(t *testing.T, kind, server string) alert.Settings {
	return alert.Settings{Kind: kind, Server: server, Account: f.account, From: f.number, To: "+447700900123", TokenFile: secretFile(t, f.token)}
}

func (f *fakeTwilio) sid(prefix string) string {
	f.n++
	return fmt.Sprintf("%s%032x", prefix, f.n)
}

func twilioErr(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message, "more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code), "status": status})
}

func (f *fakeTwilio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		twilioErr(w, 400, 20001, "Invalid parameter")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fakeRequest{r.Method, r.URL.Path, r.URL.Query(), r.PostForm, r.Header.Clone()})
	w.Header().Set("Date", time.Now().Add(f.ahead).UTC().Format(http.TimeFormat))
	if user, password, ok := r.BasicAuth(); !ok || user != f.account || password != f.token {
		w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
		twilioErr(w, 401, 20003, "Authenticate")
		return
	}
	rest, found := strings.CutPrefix(r.URL.Path, "/2010-04-01/Accounts/"+f.account+"/")
	if !found || !strings.HasSuffix(rest, ".json") {
		twilioErr(w, 404, 20404, "The requested resource "+r.URL.Path+" was not found")
		return
	}
	parts := strings.Split(strings.TrimSuffix(rest, ".json"), "/")
	switch {
	case len(parts) == 1 && parts[0] == "Messages" && r.Method == "POST":
		f.createMessage(w, r)
	case len(parts) == 1 && parts[0] == "Messages" && r.Method == "GET":
		f.listMessages(w, r)
	case len(parts) == 2 && parts[0] == "Messages" && r.Method == "GET":
		for _, m := range f.messages {
			if m.sid == parts[1] {
				if len(m.become) > 0 {
					m.status, m.become = m.become[0], m.become[1:]
					if state, code, is := strings.Cut(m.status, " "); is {
						m.status = state
						m.code, _ = strconv.Atoi(code)
					}
				}
				f.answer(w, 200, f.message(m))
				return
			}
		}
		twilioErr(w, 404, 20404, "The requested resource "+r.URL.Path+" was not found")
	case len(parts) == 1 && parts[0] == "Calls" && r.Method == "POST":
		f.createCall(w, r)
	case len(parts) == 2 && parts[0] == "Calls":
		f.oneCall(w, r, parts[1])
	default:
		twilioErr(w, 404, 20404, "The requested resource "+r.URL.Path+" was not found")
	}
}

func (f *fakeTwilio) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

// stumble does the next fault. store takes what was sent; the answer is true
// where the request is done with.
func (f *fakeTwilio) stumble(w http.ResponseWriter, r *http.Request, faults *[]farFault, store func()) bool {
	if len(*faults) == 0 {
		return false
	}
	fault := (*faults)[0]
	*faults = (*faults)[1:]
	switch fault {
	case farBusy:
		w.Header().Set("Retry-After", "7")
		twilioErr(w, 429, 20429, "Too Many Requests")
	case farBroken:
		twilioErr(w, 500, 20500, "An internal server error has occurred")
	case farRefuses:
		twilioErr(w, 401, 20003, "Authenticate")
	case farHangs:
		store()
		f.mu.Unlock()
		select {
		case <-r.Context().Done():
		case <-f.gone:
		}
		f.mu.Lock()
	case farDrops:
		store()
		panic(http.ErrAbortHandler)
	case farGarbled:
		store()
		w.WriteHeader(201)
		w.Write([]byte("<html>one moment"))
	default:
		return false
	}
	return true
}

func (f *fakeTwilio) createMessage(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	to, body := form.Get("To"), form.Get("Body")
	validity, verr := strconv.Atoi(form.Get("ValidityPeriod"))
	switch {
	case to == "":
		twilioErr(w, 400, 21604, "A 'To' phone number is required.")
	case form.Get("From") == "":
		twilioErr(w, 400, 21603, "A 'From' phone number is required.")
	case body == "":
		twilioErr(w, 400, 21602, "Message body is required.")
	case !twilioPhone.MatchString(to):
		twilioErr(w, 400, 21211, "Invalid 'To' Phone Number: "+to)
	case form.Get("From") != f.number:
		twilioErr(w, 400, 21606, "The 'From' phone number provided is not a valid message-capable Twilio phone number.")
	case utf8.RuneCountInString(body) > 1600:
		twilioErr(w, 400, 21617, "The concatenated message body exceeds the 1600 character limit.")
	case form.Get("ValidityPeriod") != "" && (verr != nil || validity < 1 || validity > 36000):
		twilioErr(w, 400, 20001, "ValidityPeriod must be between 1 and 36000")
	default:
		m := &fakeMessage{from: f.number, to: to, body: body, status: "queued", direction: "outbound-api", at: time.Now().Add(f.ahead), validity: form.Get("ValidityPeriod")}
		m.become = []string{"delivered"}
		if len(f.become) > 0 {
			m.become = slices.Clone(f.become)
		}
		store := func() {
			m.sid = f.sid("SM")
			f.messages = append(f.messages, m)
		}
		if f.stumble(w, r, &f.faults, store) {
			return
		}
		store()
		f.answer(w, 201, f.message(m))
	}
}

func (f *fakeTwilio) message(m *fakeMessage) map[string]any {
	v := map[string]any{"account_sid": f.account, "api_version": "2010-04-01", "body": m.body, "date_created": m.at.UTC().Format(time.RFC1123Z),
		"date_sent": nil, "date_updated": m.at.UTC().Format(time.RFC1123Z), "direction": m.direction, "error_code": nil, "error_message": nil, "from": m.from,
		"messaging_service_sid": nil, "num_media": "0", "num_segments": "1", "price": nil, "price_unit": "USD", "sid": m.sid, "status": m.status, "to": m.to,
		"subresource_uris": map[string]string{"media": "/2010-04-01/Accounts/" + f.account + "/Messages/" + m.sid + "/Media.json"},
		"uri":              "/2010-04-01/Accounts/" + f.account + "/Messages/" + m.sid + ".json"}
	if m.code != 0 {
		v["error_code"], v["error_message"] = m.code, "Delivery failed"
	}
	if m.status != "queued" {
		v["date_sent"] = m.at.UTC().Format(time.RFC1123Z)
	}
	return v
}

// listMessages gives the newest first, in pages. Its tokens count from the
// oldest, so that what comes meanwhile shifts no page.
func (f *fakeTwilio) listMessages(w http.ResponseWriter, r *http.Request) {
	if f.stumble(w, r, &f.listing, func() {}) {
		return
	}
	q := r.URL.Query()
	size, err := strconv.Atoi(q.Get("PageSize"))
	if q.Get("PageSize") == "" {
		size, err = 50, nil
	}
	if err != nil || size < 1 || size > 1000 {
		twilioErr(w, 400, 20001, "PageSize must be between 1 and 1000")
		return
	}
	var since time.Time
	if s := q.Get("DateSent>"); s != "" {
		if since, err = time.Parse(time.DateOnly, s); err != nil {
			twilioErr(w, 400, 20001, "DateSent must be YYYY-MM-DD")
			return
		}
	}
	var all []*fakeMessage
	for _, m := range slices.Backward(f.messages) {
		if (q.Get("To") == "" || m.to == q.Get("To")) && (q.Get("From") == "" || m.from == q.Get("From")) && !m.at.Before(since) {
			all = append(all, m)
			if f.doubled[m.sid] {
				all = append(all, m)
			}
		}
	}
	from := 0
	if token, is := strings.CutPrefix(q.Get("PageToken"), "PA"); is {
		left, _ := strconv.Atoi(token)
		from = max(0, len(all)-left)
	}
	page, _ := strconv.Atoi(q.Get("Page"))
	list := []map[string]any{}
	for _, m := range all[from:min(len(all), from+size)] {
		list = append(list, f.message(m))
	}
	base := "/2010-04-01/Accounts/" + f.account + "/Messages.json"
	v := map[string]any{"messages": list, "page": page, "page_size": size, "start": page * size, "end": page*size + len(list) - 1,
		"uri": r.URL.RequestURI(), "first_page_uri": base + "?PageSize=" + strconv.Itoa(size) + "&Page=0", "previous_page_uri": nil, "next_page_uri": nil}
	if left := len(all) - from - size; left > 0 {
		q.Set("Page", strconv.Itoa(page+1))
		q.Set("PageToken", "PA"+strconv.Itoa(left))
		v["next_page_uri"] = base + "?" + q.Encode()
	}
	f.answer(w, 200, v)
}

func (f *fakeTwilio) createCall(w http.ResponseWriter, r *http.Request) {
	form := r.PostForm
	ring, err := strconv.Atoi(form.Get("Timeout"))
	switch {
	case form.Get("To") == "":
		twilioErr(w, 400, 21201, "No 'To' number is specified")
	case form.Get("From") != f.number:
		twilioErr(w, 400, 21210, "The source phone number provided, "+form.Get("From")+", is not yet verified for your account.")
	case !twilioPhone.MatchString(form.Get("To")):
		twilioErr(w, 400, 21211, "The phone number you are attempting to call, "+form.Get("To")+", is not valid.")
	case form.Get("Url") == "" && form.Get("Twiml") == "":
		twilioErr(w, 400, 21205, "Url parameter is required.")
	case utf8.RuneCountInString(form.Get("Twiml")) > 4000:
		twilioErr(w, 400, 20001, "Twiml is limited to 4000 characters")
	case form.Get("Timeout") != "" && (err != nil || ring < 1 || ring > 600):
		twilioErr(w, 400, 20001, "Timeout must be between 1 and 600")
	default:
		c := &fakeCall{from: f.number, to: form.Get("To"), twiml: form.Get("Twiml"), status: "queued", become: []string{"in-progress"}}
		if len(f.become) > 0 {
			c.become = slices.Clone(f.become)
		}
		store := func() {
			c.sid = f.sid("CA")
			f.calls = append(f.calls, c)
		}
		if f.stumble(w, r, &f.faults, store) {
			return
		}
		store()
		f.answer(w, 201, f.call(c))
	}
}

func (f *fakeTwilio) oneCall(w http.ResponseWriter, r *http.Request, sid string) {
	i := slices.IndexFunc(f.calls, func(c *fakeCall) bool { return c.sid == sid })
	if i < 0 {
		twilioErr(w, 404, 20404, "The requested resource "+r.URL.Path+" was not found")
		return
	}
	c := f.calls[i]
	if r.Method == "POST" {
		over := slices.Contains([]string{"completed", "busy", "failed", "no-answer", "canceled"}, c.status)
		switch status := r.PostForm.Get("Status"); {
		case status != "canceled" && status != "completed":
			twilioErr(w, 400, 21218, "Invalid ApplicationSid")
			return
		case over:
			twilioErr(w, 400, 21220, "Call is not in-progress. Cannot redirect.")
			return
		case status == "completed" || c.status != "in-progress":
			c.status, c.become = status, nil
		}
	} else if len(c.become) > 0 {
		c.status, c.become = c.become[0], c.become[1:]
	}
	f.answer(w, 200, f.call(c))
}

func (f *fakeTwilio) call(c *fakeCall) map[string]any {
	return map[string]any{"account_sid": f.account, "answered_by": nil, "api_version": "2010-04-01", "direction": "outbound-api", "duration": nil,
		"end_time": nil, "from": c.from, "parent_call_sid": nil, "sid": c.sid, "start_time": nil, "status": c.status, "to": c.to,
		"uri": "/2010-04-01/Accounts/" + f.account + "/Calls/" + c.sid + ".json"}
}

// text takes a message from a phone.
func (f *fakeTwilio) text(from, body string, at time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &fakeMessage{sid: f.sid("SM"), from: from, to: f.number, body: body, status: "received", direction: "inbound", at: at}
	f.messages = append(f.messages, m)
	return m.sid
}

// with runs do while nothing is served.
func (f *fakeTwilio) with(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// sent gives the messages that went to phones.
func (f *fakeTwilio) sent() (list []fakeMessage) {
	f.with(func() {
		for _, m := range f.messages {
			if m.direction != "inbound" {
				list = append(list, *m)
			}
		}
	})
	return list
}

// A fakeTwiML is what Twilio does at a call.
type fakeTwiML struct {
	XMLName xml.Name `xml:"Response"`
	Say     []struct {
		Language string `xml:"language,attr"`
		Text     string `xml:",chardata"`
	} `xml:"Say"`
	Pause []struct {
		Length int `xml:"length,attr"`
	} `xml:"Pause"`
}

// heard is what is said at a call; nothing if its TwiML cannot be read.
func heard(twiml string) (words []string) {
	var doc fakeTwiML
	if xml.Unmarshal([]byte(twiml), &doc) != nil {
		return nil
	}
	for _, s := range doc.Say {
		words = append(words, s.Text)
	}
	return words
}
