package channels

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"coldkeep/alert"
)

// Telegram (https://core.telegram.org/bots/api). A bot writes to the chats of
// people who have started it, with buttons under the message; what they press
// or write is fetched by long polling.

const (
	telegramServer = "https://api.telegram.org"
	telegramText   = 4096 // UTF-16 units of a message
	telegramReply  = 200  // characters of the words shown for a button
	telegramPoll   = 50 * time.Second
)

var (
	telegramToken   = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]+$`)
	telegramChat    = regexp.MustCompile(`^(-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})$`)
	telegramReceipt = regexp.MustCompile(`^(-?[0-9]{1,20}):([0-9]{1,20})$`)
)

type telegram struct {
	asker
	s     alert.Settings
	log   *slog.Logger
	poll  time.Duration // so long the service holds a request for updates
	retry backoff
}

func openTelegram(s alert.Settings, log *slog.Logger) (alert.Notifier, error) {
	server, err := httpServer(cmp.Or(s.Server, telegramServer))
	if err != nil {
		return nil, fmt.Errorf("open channel %s: %w", s.ID, err)
	}
	s.Server = server
	if s.TokenFile == "" {
		return nil, fmt.Errorf("open channel %s: it needs a token file, with the bot's token", s.ID)
	}
	if s.To != "" && !telegramChat.MatchString(s.To) {
		return nil, fmt.Errorf("open channel %s: %q is no chat: it is a number, that of a group begins with -", s.ID, s.To)
	}
	return &telegram{asker: *newAsker("Telegram"), s: s, log: log.With("channel", s.ID),
		poll: telegramPoll, retry: backoff{time.Second, time.Minute}}, nil
}

func (c *telegram) Name() string { return c.s.ID }

type telegramMessage struct {
	ID   int64 `json:"message_id"`
	Date int64 `json:"date"` // 0: a message that is too old to be seen
	Chat struct {
		ID int64 `json:"id"`
	} `json:"chat"`
	From *telegramUser `json:"from"`
	Text string        `json:"text"`
}

type telegramUser struct {
	ID    int64 `json:"id"`
	IsBot bool  `json:"is_bot"`
}

type telegramUpdate struct {
	ID       int64            `json:"update_id"`
	Message  *telegramMessage `json:"message"`
	Callback *struct {
		ID      string           `json:"id"`
		From    telegramUser     `json:"from"`
		Message *telegramMessage `json:"message"`
		Data    string           `json:"data"`
	} `json:"callback_query"`
}

type telegramButton struct {
	Text string `json:"text"`
	Data string `json:"callback_data"`
}

type telegramKeyboard struct {
	Rows [][]telegramButton `json:"inline_keyboard"`
}

type telegramSend struct {
	Chat    string            `json:"chat_id"`
	Text    string            `json:"text"`
	Silent  bool              `json:"disable_notification,omitempty"`
	Buttons *telegramKeyboard `json:"reply_markup,omitempty"`
}

// Notify writes to the chat. The receipt is the chat and the message's number
// in it.
func (c *telegram) Notify(ctx context.Context, m alert.Message) (string, error) {
	chat := cmp.Or(m.To, c.s.To)
	if !telegramChat.MatchString(chat) {
		return "", errors.New("ask Telegram: the address is no chat: it is a number, that of a group begins with -")
	}
	p := telegramSend{Chat: chat, Text: cutUTF16(m.Title+"\n\n"+m.Body, telegramText), Silent: silent(m.Purpose)}
	var rows [][]telegramButton
	for _, b := range m.Buttons {
		// One that Telegram would refuse must not stop the message.
		if b.Text != "" && buttonData.MatchString(b.Data) {
			rows = append(rows, []telegramButton{{b.Text, b.Data}}) // a row each: a thumb hits it, and its words are whole
		}
	}
	if rows != nil {
		p.Buttons = &telegramKeyboard{rows}
	}
	var sent telegramMessage
	if err := c.call(ctx, c.limit, "sendMessage", p, &sent); err != nil {
		return "", err
	}
	if sent.ID == 0 {
		return "", &alert.UnknownError{Err: errors.New("ask Telegram: it took the message, but did not say which it is")}
	}
	return fmt.Sprintf("%d:%d", sent.Chat.ID, sent.ID), nil
}

// Cancel takes the buttons of a message away.
func (c *telegram) Cancel(ctx context.Context, receipt string) error {
	part := telegramReceipt.FindStringSubmatch(receipt)
	if part == nil {
		return errors.New("ask Telegram: it is no receipt")
	}
	number, err := strconv.ParseInt(part[2], 10, 64)
	if err != nil {
		return errors.New("ask Telegram: it is no receipt")
	}
	err = c.call(ctx, c.limit, "editMessageReplyMarkup", map[string]any{"chat_id": part[1], "message_id": number}, nil)
	if e, ok := errors.AsType[*telegramError](err); ok && e.code == http.StatusBadRequest {
		// They are gone already, or the person has deleted the message.
		c.log.Debug("telegram: there were no buttons to take away", "err", err)
		return nil
	}
	return err
}

// Listen fetches what people press and write. Telegram keeps it for 24 h.
func (c *telegram) Listen(ctx context.Context, post alert.Post) {
	box := &telegramBox{telegram: c, post: post}
	listenOn(ctx, c.log, "telegram", c.retry, box.fetch)
	box.confirm(context.WithoutCancel(ctx))
}

// A telegramBox is how far updates were heard.
type telegramBox struct {
	*telegram
	post      alert.Post
	offset    int64 // the first update that was not heard; 0: the earliest there is
	confirmed int64 // the offset that Telegram knows
}

// fetch waits for updates and hears them. One that is not taken is fetched
// again, and those after it.
func (b *telegramBox) fetch(ctx context.Context, fine func()) error {
	updates, err := b.updates(ctx, b.limit+b.poll, b.poll, 100)
	if err != nil {
		return err
	}
	var then []func(context.Context) error
	for _, u := range updates {
		show, err := b.hear(ctx, u)
		if err != nil {
			b.follow(ctx, then)
			return fmt.Errorf("hear answer: %w", err)
		}
		b.offset = u.ID + 1 // also where it is a lower one: after a quiet week they begin anew
		if show != nil {
			then = append(then, show)
		}
	}
	fine()
	b.follow(ctx, then)
	return nil
}

// follow shows people what became of their answers; all were heard before, for
// that is what matters.
func (b *telegramBox) follow(ctx context.Context, then []func(context.Context) error) {
	for _, show := range then {
		if err := show(ctx); err != nil && ctx.Err() == nil {
			b.log.Warn("telegram: an answer was taken, but not confirmed", "err", err)
		}
	}
}

func (b *telegramBox) updates(ctx context.Context, limit, wait time.Duration, most int) ([]telegramUpdate, error) {
	var updates []telegramUpdate
	offset := b.offset
	err := b.call(ctx, limit, "getUpdates", map[string]any{"offset": offset, "timeout": int(wait / time.Second), "limit": most,
		"allowed_updates": []string{"message", "callback_query"}}, &updates)
	if e, ok := errors.AsType[*telegramError](err); ok && e.code == http.StatusConflict {
		return nil, fmt.Errorf("somebody else takes the answers to this bot, another daemon or a webhook; a daemon needs a bot of its own: %w", err)
	}
	if err == nil {
		b.confirmed = offset
	}
	return updates, err
}

// confirm tells Telegram what was heard, so that the next start does not hear
// it again.
func (b *telegramBox) confirm(ctx context.Context) {
	if b.offset == b.confirmed {
		return
	}
	if _, err := b.updates(ctx, min(b.limit, 2*time.Second), 0, 1); err != nil {
		b.log.Debug("telegram: the last answers will be heard again", "err", err)
	}
}

// hear passes an update on; show is what is to be done afterwards.
func (b *telegramBox) hear(ctx context.Context, u telegramUpdate) (show func(context.Context) error, err error) {
	switch {
	case u.Callback != nil:
		return b.pressed(ctx, u)
	case u.Message != nil && u.Message.Text != "" && (u.Message.From == nil || !u.Message.From.IsBot):
		m := u.Message
		chat := strconv.FormatInt(m.Chat.ID, 10)
		if strings.HasPrefix(m.Text, "/start") {
			// How the address of a new person is found out.
			b.log.Info("telegram: somebody started the bot", "chat", chat)
		}
		reply, err := b.post.Hear(ctx, alert.Answer{ID: fmt.Sprintf("%s:%d", chat, m.ID), Channel: b.s.ID, From: chat, Text: alert.Cut(m.Text, 1000), At: time.Unix(m.Date, 0)})
		if err != nil || reply == "" {
			return nil, err
		}
		return func(ctx context.Context) error { return b.say(ctx, chat, reply) }, nil
	}
	return nil, nil
}

func (b *telegramBox) pressed(ctx context.Context, u telegramUpdate) (show func(context.Context) error, err error) {
	q := u.Callback
	chat, receipt := strconv.FormatInt(q.From.ID, 10), ""
	if q.Message != nil {
		chat = strconv.FormatInt(q.Message.Chat.ID, 10)
		receipt = fmt.Sprintf("%s:%d", chat, q.Message.ID)
	}
	reply := ""
	if q.ID != "" && buttonData.MatchString(q.Data) { // a phone with bad software may send anything
		// Telegram does not say when it was pressed.
		reply, err = b.post.Hear(ctx, alert.Answer{ID: q.ID, Channel: b.s.ID, From: chat, Data: q.Data, At: time.Now()})
		if err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context) error {
		// Not only a line that passes: it is read with one eye open.
		err := b.call(ctx, b.limit, "answerCallbackQuery", map[string]any{"callback_query_id": q.ID, "text": alert.Cut(reply, telegramReply), "show_alert": reply != ""}, nil)
		if e, ok := errors.AsType[*telegramError](err); ok && e.code == http.StatusBadRequest {
			// We were away, and the phone waits no more.
			err = nil
			if reply != "" {
				err = b.say(ctx, chat, reply)
			}
		}
		if receipt == "" || b.open(receipt) {
			return err
		}
		return errors.Join(err, b.Cancel(ctx, receipt))
	}, nil
}

// open says whether a message may still be answered: after "Status" it may.
func (b *telegramBox) open(receipt string) bool {
	for _, s := range b.post.Open(b.s.ID) {
		if s.Receipt == receipt {
			return true
		}
	}
	return false
}

func (b *telegramBox) say(ctx context.Context, chat, text string) error {
	return b.call(ctx, b.limit, "sendMessage", telegramSend{Chat: chat, Text: cutUTF16(text, telegramText), Silent: true}, nil)
}

// A telegramError is {"ok":false,"error_code":400,"description":"…"}.
type telegramError struct {
	code int
	err  error
}

func (e *telegramError) Error() string { return e.err.Error() }
func (e *telegramError) Unwrap() error { return e.err }

// call calls a method of the API; result may be nil.
func (c *telegram) call(ctx context.Context, limit time.Duration, method string, params, result any) error {
	token, err := alert.Secret(c.s.TokenFile)
	if err != nil {
		return err
	}
	if !telegramToken.MatchString(token) {
		return fmt.Errorf("ask Telegram: what is in %s is no bot's token: it is like 123456:ABC", c.s.TokenFile)
	}
	body, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("write %s for Telegram: %w", method, err)
	}
	r, err := http.NewRequest(http.MethodPost, c.s.Server+"/bot"+token+"/"+method, bytes.NewReader(body))
	if err != nil {
		return errors.New("ask Telegram: the address cannot be used") // the error has the token
	}
	r.Header.Set("Content-Type", "application/json")
	resp, text, err := c.askWithin(ctx, limit, r)
	if err != nil {
		return err
	}
	var reply struct {
		OK          bool            `json:"ok"`
		Result      json.RawMessage `json:"result"`
		Code        int             `json:"error_code"`
		Description string          `json:"description"`
		Parameters  struct {
			RetryAfter int   `json:"retry_after"`
			Migrated   int64 `json:"migrate_to_chat_id"`
		} `json:"parameters"`
	}
	unread := json.Unmarshal(text, &reply)
	said := hide(string(text), token)
	if unread == nil && reply.Description != "" {
		said = hide(reply.Description, token)
	}
	if reply.Parameters.Migrated != 0 {
		said += fmt.Sprintf(" (the group's chat is %d now)", reply.Parameters.Migrated)
	}
	if fault := httpFault("Telegram", resp, said); fault != nil {
		if e, ok := errors.AsType[*alert.TemporaryError](fault); ok {
			if s := reply.Parameters.RetryAfter; s > 0 {
				e.After = time.Duration(min(s, int(retryMost/time.Second))) * time.Second
			}
			return e
		}
		return &telegramError{resp.StatusCode, fault}
	}
	switch {
	case unread != nil, !reply.OK:
		return &alert.UnknownError{Err: fmt.Errorf("ask Telegram: it answered %s, but not as Telegram does", resp.Status)}
	case result == nil:
		return nil
	}
	if err := json.Unmarshal(reply.Result, result); err != nil {
		return &alert.UnknownError{Err: fmt.Errorf("ask Telegram: it answered %s with something else than a result of %s", resp.Status, method)}
	}
	return nil
}

// cutUTF16 shortens to n UTF-16 units, never within a character.
func cutUTF16(s string, n int) string {
	units, last := 0, 0 // last is how much leaves room for the mark
	for i, r := range s {
		if units < n {
			last = i
		}
		if units += max(utf16.RuneLen(r), 1); units > n {
			return s[:last] + "…"
		}
	}
	return s
}
