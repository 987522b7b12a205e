package components

import "testing"

func TestNotifyConfig(t *testing.T) {
	for _, config := range []string{
		"webhook: {url: 'https://a.example.com/', secret: x}",
		"slack: {url: 'https://a.example.com/'}, required: false",
		"webhook: {url: '" + scrubbed + "'}",
		"smtp: {server: 'mail.example.com:25', from: a@example.com, to: [b@example.com]}, digest: {period: 1h}, limit: {messages: 4}",
	} {
		if err := CheckConfig("output", "tkit_notify", "tkit_notify: {"+config+"}"); err != nil {
			t.Errorf("%s: %v", config, err)
		}
	}
	for _, config := range []string{
		"required: true",
		"webhook: {url: 'https://a.example.com/'}, slack: {url: 'https://a.example.com/'}",
		"webhook: {url: 'a.example.com'}",
		"webhook: {url: 'https://a.example.com/'}, name: ../a",
		"webhook: {url: 'https://a.example.com/'}, attempts: 0",
		"webhook: {url: 'https://a.example.com/'}, digest: {count: 0}",
		"webhook: {url: 'https://a.example.com/'}, limit: {messages: 1, per: 48h}",
		"smtp: {server: mail.example.com, from: a@example.com, to: [b@example.com]}",
	} {
		if err := CheckConfig("output", "tkit_notify", "tkit_notify: {"+config+"}"); err == nil {
			t.Errorf("%s is accepted", config)
		}
	}
}

// Two outputs do not share an outbox.
func TestOutboxNames(t *testing.T) {
	r := &Run{}
	for i, ok := range []bool{true, false} {
		c, err := parseConfig("tkit_notify", notifySpec(), "tkit_notify: {slack: {url: 'https://a.example.com/'}}")
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := newNotify(c, r); (err == nil) != ok {
			t.Errorf("output %d: %v", i, err)
		}
	}
}
