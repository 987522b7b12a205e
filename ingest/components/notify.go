package components

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/failure"
	"tkit/ingest/notify"
)

func notifySpec() *service.ConfigSpec {
	ca := func() *service.ConfigField {
		return service.NewStringField("ca").Description("A file with the certificates of the server's authority, relative to the pipeline's file. By default the system's are trusted.").Default("")
	}
	text := func(name, description string) *service.ConfigField {
		return service.NewStringField(name).Description(description).Default("")
	}
	return service.NewConfigSpec().
		Summary("Tells people about images: by mail, or by a webhook.").
		Description(`A message collects the images of a time, with their number, the counts of their labels and the names of
the first ones. An image counts as delivered when it is in an outbox on disk, so that messages never hold back the
pipeline; after a crash or an outage its message is sent by the next run. An image is told once, also if it is delivered
again within a day. After a crash in the moment of sending, a message can come twice, with the same Message-ID in a mail
and the same id in JSON. When the pipeline ends, it sends what waits, unless the limit forbids that. While 100,000 images wait for a message, further ones are held back. Processors of
the output that delete images tell only about the others.

A webhook gets the digest as JSON, and with a secret two headers: X-Tkit-Timestamp, in seconds since 1970, and
X-Tkit-Signature, which is v1= and the HMAC-SHA256, in hexadecimal, of the timestamp, a period and the body. A receiver
computes the same, compares in constant time, and refuses timestamps older than some minutes.`).
		Fields(
			service.NewStringField("name").Description("The name of the outbox, unique in the pipeline.").Default("notify"),
			service.NewObjectField("smtp",
				text("server", "The mail server, HOST:PORT."),
				service.NewStringEnumField("security", notify.StartTLS, notify.TLS, notify.Plain).Description("How the connection is protected.").Default(notify.StartTLS),
				text("user", "The user, if the server authenticates."),
				text("password", "The password of the user.").Secret(),
				text("from", "The sender of the mails."),
				service.NewStringListField("to").Description("Who gets the mails.").Optional(),
				ca(),
			),
			service.NewObjectField("webhook",
				text("url", "The URL to which messages are posted as JSON.").Secret(),
				text("secret", "The key of the signatures.").Secret(),
				ca(),
			),
			service.NewObjectField("slack",
				text("url", "An incoming webhook of Slack, or of what is compatible with it.").Secret(),
				ca(),
			),
			service.NewObjectField("digest",
				service.NewDurationField("period").Description("The time from the first image to its message.").Default("1m"),
				service.NewIntField("count").Description("The number of images after which the message is sent before that.").Default(1000),
				service.NewIntField("names").Description("The number of images that a message names.").Default(10),
			),
			service.NewObjectField("limit",
				service.NewIntField("messages").Description("The most messages in a time. What is over waits for the next message. 0 means no limit.").Default(0),
				service.NewDurationField("per").Description("That time, at most a day.").Default("1h"),
			),
			service.NewBoolField("required").Description("Try a message until it is sent. Otherwise it is given up after `attempts`, logged and counted.").Default(true),
			service.NewIntField("attempts").Description("How often a message is tried if it is not required.").Default(10),
			service.NewOutputMaxInFlightField().Default(64),
		)
}

// outboxName is the form of the name of an outbox, which is a part of a file's name.
var outboxName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// A notifyOutput is the output tkit_notify.
type notifyOutput struct {
	run      *Run
	options  notify.Options
	sender   notify.Sender
	required bool

	mu       sync.Mutex
	notifier *notify.Notifier // nil before the first connection
}

func newNotify(c *service.ParsedConfig, r *Run) (service.Output, int, error) {
	f, digest, limit := &fields{config: c}, &fields{config: c.Namespace("digest")}, &fields{config: c.Namespace("limit")}
	o := &notifyOutput{run: r, required: f.boolean("required"), options: notify.Options{
		Name: f.text("name"), Folder: r.State, Pipeline: r.Name, Attempts: f.number("attempts"),
		Period: digest.duration("period"), Count: digest.number("count"), First: digest.number("names"),
		Messages: limit.number("messages"), Per: limit.duration("per"),
		Log: r.Log, GivenUp: func(images int) { r.Metrics.givenUp.Add(float64(images)) },
	}}
	if err := errors.Join(f.err, digest.err, limit.err); err != nil {
		return nil, 0, err
	}
	switch {
	case !outboxName.MatchString(o.options.Name):
		return nil, 0, errors.New("the name must be of lower-case letters, digits, - and _, and begin with a letter or a digit")
	case o.options.Attempts < 1:
		return nil, 0, errors.New("attempts must be at least 1")
	case o.required:
		o.options.Attempts = 0
	}
	if err := o.options.Check(); err != nil {
		return nil, 0, err
	}
	var err error
	if o.sender, err = senderOf(c, r); err != nil {
		return nil, 0, err
	}
	messages := r.watch("the receiver of tkit_notify", o.options.Name)
	o.options.Tried = func(err error) { messages.sawAny(context.Background(), time.Now(), err) }
	if !r.takeOutbox(o.options.Name, o.finish) {
		return nil, 0, fmt.Errorf("two outputs tkit_notify have the name %s: give each its own", o.options.Name)
	}
	parallel, err := c.FieldMaxInFlight()
	return o, parallel, err
}

// senderOf reads to whom messages go.
func senderOf(c *service.ParsedConfig, r *Run) (notify.Sender, error) {
	smtp, webhook, slack := &fields{config: c.Namespace("smtp")}, &fields{config: c.Namespace("webhook")}, &fields{config: c.Namespace("slack")}
	authority := func(f *fields) string {
		if ca := f.text("ca"); ca != "" {
			return r.Path(ca)
		}
		return ""
	}
	address := func(f *fields) string {
		if url := f.text("url"); url != scrubbed {
			return url
		}
		return "https://checked.when.it.starts.invalid"
	}
	var senders []notify.Sender
	var problem error
	add := func(s notify.Sender, err error) {
		senders, problem = append(senders, s), errors.Join(problem, err)
	}
	if server := smtp.text("server"); server != "" {
		add(notify.NewMail(notify.MailOptions{
			Server: server, Security: smtp.text("security"), User: smtp.text("user"), Password: smtp.text("password"),
			From: smtp.text("from"), To: smtp.texts("to"), CA: authority(smtp),
		}))
	}
	if url := address(webhook); url != "" {
		add(notify.NewWebhook(url, webhook.text("secret"), authority(webhook)))
	}
	if url := address(slack); url != "" {
		add(notify.NewSlack(url, authority(slack)))
	}
	switch err := errors.Join(smtp.err, webhook.err, slack.err, problem); {
	case err != nil:
		return nil, err
	case len(senders) != 1:
		return nil, errors.New("one of smtp.server, webhook.url and slack.url is needed; several outputs tkit_notify tell in several ways")
	}
	return senders[0], nil
}

func (o *notifyOutput) Connect(ctx context.Context) error {
	_, err := o.open(ctx)
	return err
}

func (o *notifyOutput) open(ctx context.Context) (*notify.Notifier, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.notifier != nil {
		return o.notifier, nil
	}
	n, err := notify.Open(ctx, o.options, o.sender)
	if err == nil {
		o.notifier = n
	}
	return n, err
}

// finish sends what waits, also from an earlier run if this one had no images.
func (o *notifyOutput) finish() error {
	ctx := context.Background() // the notifier limits the time of a message
	n, err := o.open(ctx)
	if err != nil {
		return fmt.Errorf("tkit_notify: %w", err)
	}
	err = n.Close(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, notify.ErrLeft) && !o.required:
		o.run.Log.Warn("a message is not sent", "output", o.options.Name, "error", err)
		return nil
	}
	return fmt.Errorf("tkit_notify: %w", err)
}

func (o *notifyOutput) Write(ctx context.Context, m *service.Message) error {
	if err := m.GetError(); err != nil {
		return err // people are not told about a failed image as a good one
	}
	content, err := m.AsBytes()
	if err != nil {
		return &failure.Error{Stage: notify.Stage, Err: err}
	}
	sum := sha256.Sum256(content)
	i := notify.Image{SHA256: hex.EncodeToString(sum[:])}
	i.Source, _ = m.MetaGet(metaSource)
	i.Label, _ = m.MetaGet(metaLabel)
	if p, ok := m.MetaGetMut(metaProbability); ok {
		i.Probability, _ = p.(float64)
	}
	n, err := o.open(ctx)
	if err != nil {
		return &failure.Error{Stage: notify.Stage, Kind: failure.Outage, Err: err}
	}
	return n.Add(ctx, i)
}

// Close does nothing: the run calls finish, because the engine does not wait for the
// end of Close and drops its error.
func (o *notifyOutput) Close(context.Context) error { return nil }
