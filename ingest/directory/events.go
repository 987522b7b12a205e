package directory

import (
	"errors"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// events are the system's reports of changes. They only make a file known earlier: the
// readings of the whole folder would find it too.
type events struct {
	watcher *Watcher
	notify  *fsnotify.Watcher
	refused sync.Once // the first folder without events is logged
}

func openEvents(w *Watcher) (*events, error) {
	n, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	return &events{watcher: w, notify: n}, nil
}

// watch asks for the reports of a folder. Asking again has no effect.
func (e *events) watch(folder string) {
	if err := e.notify.Add(folder); err != nil {
		e.refused.Do(func() {
			e.watcher.options.Log.Warn("no events of a folder, and perhaps of others: they are read at intervals only", "error", err)
		})
	}
}

// run looks at what is reported until the watcher is closed.
func (e *events) run() {
	w := e.watcher
	defer e.notify.Close()
	for {
		select {
		case event := <-e.notify.Events:
			if event.Has(fsnotify.Create) || event.Has(fsnotify.Write) {
				w.look(w.running, event.Name, e)
			}
		case err := <-e.notify.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				w.options.Log.Warn("events of the folder were lost; it is read again", "error", err)
			}
			select {
			case w.rescan <- struct{}{}:
			default:
			}
		case <-w.running.Done():
			return
		}
	}
}
