package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// rows returns the number of rows in PostgreSQL.
func (s *servers) rows(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n)
	return n, err
}

// The following return how often each image is in a sink, by its SHA-256.

func (s *servers) inPostgres(ctx context.Context) (map[string]int, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT sha256, count(*) FROM "+table+" WHERE label <> '' AND site <> '' GROUP BY sha256")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make(map[string]int)
	for rows.Next() {
		var sum string
		var n int
		if err := rows.Scan(&sum, &n); err != nil {
			return nil, err
		}
		found[sum] = n
	}
	return found, rows.Err()
}

func (s *servers) inOpenSearch(context.Context) (map[string]int, error) {
	documents, err := s.opensearch.Documents(index)
	found := make(map[string]int)
	for _, d := range documents {
		if d.Source["label"] != nil {
			found[fmt.Sprint(d.Source["sha256"])]++
		}
	}
	return found, err
}

// inKafka counts the images of which there are records. After a crash there can be
// several with one key, of which the last counts.
func (s *servers) inKafka(ctx context.Context) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Address()), kgo.ConsumeTopics(topic))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err := errors.Join(err, ends.Error()); err != nil {
		return nil, err
	}
	var left int64
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	found := make(map[string]int)
	for left > 0 {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			return nil, err
		}
		for _, r := range fetched.Records() {
			found[string(r.Key)] = 1
			left--
		}
	}
	return found, nil
}

// inHDFS reads all images. The name of each must be that of its content, and its record
// must be beside it.
func (s *servers) inHDFS(ctx context.Context) (map[string]int, error) {
	names, err := s.namesIn(ctx, folder)
	if err != nil {
		return nil, err
	}
	found := make(map[string]int)
	for name := range names {
		stem := strings.TrimSuffix(name, path.Ext(name))
		if path.Ext(name) == ".json" {
			continue
		}
		content, err := s.hdfs.Web(ctx, "GET", name, "op", "OPEN")
		if err != nil {
			return nil, err
		}
		if sum := digest(content); sum != path.Base(stem) {
			return nil, fmt.Errorf("%s has the SHA-256 %s", name, sum)
		}
		if !names[stem+".json"] {
			return nil, fmt.Errorf("%s has no record", name)
		}
		found[path.Base(stem)]++
	}
	if len(names) != 2*len(found) {
		return nil, fmt.Errorf("%s has %d files for %d images", folder, len(names), len(found))
	}
	return found, nil
}

// namesIn returns the paths of the files below a folder of HDFS, without hidden ones.
func (s *servers) namesIn(ctx context.Context, folder string) (map[string]bool, error) {
	answer, err := s.hdfs.Web(ctx, "GET", folder, "op", "LISTSTATUS")
	if err != nil {
		return nil, err
	}
	var list struct {
		FileStatuses struct {
			FileStatus []struct{ PathSuffix, Type string }
		}
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, f := range list.FileStatuses.FileStatus {
		name := path.Join(folder, f.PathSuffix)
		switch {
		case strings.HasPrefix(f.PathSuffix, "."):
		case f.Type == "DIRECTORY":
			below, err := s.namesIn(ctx, name)
			if err != nil {
				return nil, err
			}
			maps.Copy(names, below)
		default:
			names[name] = true
		}
	}
	return names, nil
}

// sites returns the number of images of each site, as a query of PostgreSQL gives it.
func (s *servers) sites(ctx context.Context) (text []string, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT site || ': ' || count(*) FROM "+table+" GROUP BY site ORDER BY count(*) DESC")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var site string
		if err := rows.Scan(&site); err != nil {
			return nil, err
		}
		text = append(text, site)
	}
	return text, rows.Err()
}

// labels returns the most frequent labels, as a query of OpenSearch gives them.
func (s *servers) labels() (text []string, err error) {
	var answer struct {
		Aggregations struct {
			Labels struct {
				Buckets []struct {
					Key   string
					Count int `json:"doc_count"`
				}
			}
		}
	}
	err = s.opensearch.Do("POST", "/"+index+"/_search", `{"size": 0, "aggs": {"labels": {"terms": {"field": "label", "size": 10}}}}`, &answer)
	for _, b := range answer.Aggregations.Labels.Buckets {
		text = append(text, fmt.Sprintf("%s: %d", b.Key, b.Count))
	}
	return text, err
}
