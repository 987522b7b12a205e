package catalog

import (
	"context"

	"tkit/access"
	"tkit/access/audit"
)

// AuditRecords returns the last records of the audit log, the oldest first; all
// of them if last is 0. It does not verify them. Only an administrator of the
// home may read the log. Only a refusal is recorded.
func (c *Catalog) AuditRecords(ctx context.Context, who access.Caller, last int) ([]audit.Record, error) {
	if err := c.authority.RequireAdministrator(ctx, who, "read-audit"); err != nil {
		return nil, err
	}
	var records []audit.Record
	for r, err := range c.authority.Log().Records(ctx) {
		if err != nil {
			return nil, err
		}
		records = append(records, r)
		if last > 0 && len(records) > 2*last { // do not keep the whole log in memory
			records = append(records[:0], records[len(records)-last:]...)
		}
	}
	if last > 0 && len(records) > last {
		records = records[len(records)-last:]
	}
	return records, nil
}

// VerifyAudit reads the whole audit log and returns all differences from what
// was written. Known are positions that an earlier verification returned. Only
// an administrator of the home may do this. Only a refusal is recorded.
func (c *Catalog) VerifyAudit(ctx context.Context, who access.Caller, known ...audit.Position) (audit.Verification, error) {
	if err := c.authority.RequireAdministrator(ctx, who, "verify-audit"); err != nil {
		return audit.Verification{}, err
	}
	return c.authority.Log().Verify(ctx, known...)
}
