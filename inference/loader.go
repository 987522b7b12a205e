package inference

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"log/slog"
	"runtime"

	"tkit/internal/independence"
	"tkit/internal/pipeline"
	"tkit/internal/tensorflow"
	"tkit/registry"
)

// LoaderOptions configure how versions are loaded. The zero value computes in
// FP32 without plugins.
type LoaderOptions struct {
	Trunk     tensorflow.Config // how and on which device trunks compute
	Precision Precision         // of trunks, where a version allows it; "": FP32
	Limits    Limits            // of each trunk's batcher; zero: DefaultLimits
	Decoders  int               // images decoded at a time, over all versions; 0: one for each core
	Images    int               // images in a request; 0: as many as the queue holds
	// Cold loads versions without a warm-up, so that the first requests take
	// longer. It suits programs that end after a few requests.
	Cold bool
	// Plugins provides the plugins of preprocessings; nil provides none. A
	// version loads only if its plugins exist with the pinned versions and
	// digests.
	Plugins pipeline.Plugins
	// Permit decides whether a version may be loaded here; nil permits all.
	Permit  func(ctx context.Context, v Version) error
	Metrics *Metrics     // nil discards them
	Log     *slog.Logger // nil discards it
	// Keep is called with each bottleneck that [ImageClassifier.Classify] computes as
	// trainings do: in FP32, of an image with one view. Nil means not at all.
	Keep KeepFunc
}

// A KeepFunc keeps the bottleneck that the trunk of a version has computed for an image,
// given by its SHA-256. It may be called concurrently, and does not change the bottleneck.
type KeepFunc func(m *registry.Manifest, image [sha256.Size]byte, bottleneck []float32)

func (o LoaderOptions) withDefaults() LoaderOptions {
	if o.Precision == "" {
		o.Precision = FP32
	}
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits
	}
	if o.Decoders == 0 {
		o.Decoders = runtime.GOMAXPROCS(0)
	}
	if o.Images == 0 {
		o.Images = o.Limits.MaxQueue
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// A Loader makes servables of versions. Parts that several versions share are
// loaded once: trunks are keyed by digest, precision and session, preprocessings by
// digest.
type Loader struct {
	source    PartSource
	options   LoaderOptions
	trunks    pool[trunkKey, *Trunk]
	pipelines pool[string, *pipeline.Pipeline]
	decoders  semaphore
}

// A trunkKey identifies a trunk in memory.
type trunkKey struct {
	digest    string
	precision Precision
	session   tensorflow.Config // with the device
}

// NewLoader returns a loader of the versions of a source.
func NewLoader(source PartSource, o LoaderOptions) *Loader {
	o = o.withDefaults()
	return &Loader{source: source, options: o, decoders: make(semaphore, o.Decoders)}
}

// Load loads a version and warms it up, so that its first request takes no
// longer than later ones. The handle's only user is the caller.
func (l *Loader) Load(ctx context.Context, model string, version int) (*Handle, error) {
	parts, err := l.source.Parts(ctx, model, version)
	if err != nil {
		return nil, err
	}
	v := Version{Model: model, Number: version, Manifest: parts.Manifest}
	if l.options.Permit != nil {
		if err := l.options.Permit(ctx, v); err != nil {
			return nil, err
		}
	}
	s, err := l.open(ctx, parts)
	if err != nil {
		return nil, err
	}
	return newHandle(v, s), nil
}

// open makes the servable of a version. Its parts determine the kind.
func (l *Loader) open(ctx context.Context, parts Parts) (Servable, error) {
	if parts.SavedModel != "" {
		return l.openSavedModel(ctx, parts.SavedModel)
	}
	return l.openClassifier(ctx, parts)
}

// openClassifier opens an image classifier.
func (l *Loader) openClassifier(ctx context.Context, parts Parts) (_ *imageClassifier, err error) {
	m := parts.Manifest
	c := &imageClassifier{
		manifest: m, keep: l.options.Keep,
		digest:   m.Preprocessing.Digest(),
		decoders: l.decoders,
		// All views of a request must fit in the queue at once.
		most: min(l.options.Images, l.options.Limits.MaxQueue/m.Preprocessing.Views()),
	}
	c.shape[0], c.shape[1], c.shape[2] = m.Preprocessing.Shape()
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()

	if views := m.Preprocessing.Views(); views > l.options.Limits.MaxQueue {
		return nil, fmt.Errorf("an image has %d views and the queue holds %d: the queue of a trunk must hold them", views, l.options.Limits.MaxQueue)
	}
	compiled, release, err := l.pipelines.get(ctx, c.digest, func(ctx context.Context) (*pipeline.Pipeline, error) {
		return pipeline.CompileWith(ctx, m.Preprocessing, l.options.Plugins)
	})
	if err != nil {
		return nil, fmt.Errorf("preprocessing: %w", err)
	}
	c.pipeline, c.parts = compiled, append(c.parts, release)

	precision, err := l.precisionFor(ctx, parts, compiled)
	if err != nil {
		return nil, fmt.Errorf("choose the precision: %w", err)
	}
	if c.trunk, release, err = l.trunk(ctx, parts, precision); err != nil {
		return nil, err
	}
	c.parts = append(c.parts, release)

	if c.head, err = OpenHead(parts.HeadPath); err != nil {
		return nil, err
	}
	c.parts = append(c.parts, c.head.Close)
	if c.signatures, err = classifierSignatures(m, c.shape, c.head.Outputs()); err != nil {
		return nil, err
	}
	if l.options.Cold {
		return c, nil
	}
	return c, c.warmUp(ctx)
}

// trunk returns a version's trunk in a precision from the pool, or loads it.
func (l *Loader) trunk(ctx context.Context, p Parts, precision Precision) (*Trunk, func() error, error) {
	key := trunkKey{string(p.Manifest.Trunk.Digest), precision, l.options.Trunk}
	return l.trunks.get(ctx, key, func(context.Context) (*Trunk, error) {
		t, err := OpenTrunk(p.TrunkPath, TrunkOptions{
			Precision: key.precision, Session: key.session, Limits: l.options.Limits, Metrics: l.options.Metrics,
		})
		return t, independence.Retrain(err)
	})
}

// warmUp computes predictions for images, one for each kind of decoder. It
// bypasses the batcher, because a loaded trunk is already warm, and a version
// must load even if requests for other models overload its trunk.
func (c *imageClassifier) warmUp(ctx context.Context) error {
	bottleneck, err := c.trunk.warmUp(ctx, c.shape)
	if err != nil {
		return err
	}
	images, err := c.samples()
	if err != nil {
		return err
	}
	preprocessed := make([]float32, c.pipeline.Elements())
	for _, encoded := range images {
		err := c.preprocess(ctx, encoded, preprocessed)
		if errors.As(err, new(*pipeline.ImageError)) && len(c.manifest.Preprocessing.Plugins()) > 0 {
			continue // a plugin may reject a blank image
		}
		if err != nil {
			return fmt.Errorf("warm up the preprocessing: %w", err)
		}
	}
	size := 1
	for _, d := range bottleneck {
		size *= int(d)
	}
	blank := make([]float32, size)
	for _, bottlenecks := range [][][]float32{{blank}, {blank, blank}} {
		if _, err := c.judge(ctx, bottleneck, bottlenecks); err != nil {
			return fmt.Errorf("warm up the head: %w", err)
		}
	}
	return nil
}

// samples are two images of twice the trunk's input size.
func (c *imageClassifier) samples() ([][]byte, error) {
	drawn := image.NewRGBA(image.Rect(0, 0, 2*c.shape[1], 2*c.shape[0]))
	for i := range drawn.Pix {
		drawn.Pix[i] = uint8(i * 31)
	}
	var asJPEG, asPNG bytes.Buffer
	if err := errors.Join(jpeg.Encode(&asJPEG, drawn, nil), png.Encode(&asPNG, drawn)); err != nil {
		return nil, fmt.Errorf("draw an image to warm up with: %w", err)
	}
	return [][]byte{asJPEG.Bytes(), asPNG.Bytes()}, nil
}
