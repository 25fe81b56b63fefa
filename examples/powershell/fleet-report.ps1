# What is wrong in a fleet, for PowerShell 5.1 and later: the clusters that are not ok, with their open findings.
#
#   .\fleet-report.ps1 -Context C:\fathom\context.toml
#
# It asks through fathom.exe, whose -o json documents only ever gain keys (docs/design/0005-json-output.md). Exit codes: 0 fine,
# 1 failed, 2 usage, 4 somebody was not heard; the document then names who, and since when.
param(
    [Parameter(Mandatory = $true)] [string] $Context,
    [string] $Fathom = 'fathom.exe'
)

$text = & $Fathom findings --all-clusters --context $Context -o json
if ($LASTEXITCODE -notin 0, 3, 4) { throw "fathom ended with $LASTEXITCODE" }
# PowerShell reads whole numbers as 64-bit integers: times in nanoseconds stay exact.
$answer = ($text -join "`n") | ConvertFrom-Json
if ($answer.schema -ne 1) { throw "schema $($answer.schema) is not known to this script" }

foreach ($cluster in $answer.clusters) {
    foreach ($finding in $cluster.answer.findings) {
        [pscustomobject]@{
            Site     = $cluster.site
            Cluster  = $cluster.cluster
            Code     = $finding.code
            Node     = $finding.node
            Disk     = $finding.disk
            Severity = $finding.severity
            CostMs   = [math]::Round($finding.cost_ns / 1e6)
        }
    }
}
foreach ($missing in $answer.missing) {
    # What to do is decided on `cause` and `reason`, which never change; `error` is for people. Whoever refuses is heard: no `since_unix_ns`.
    $what = switch ($missing.reason) {
        'SITE_POLICY' { 'its site does not allow the question' }
        'DEADLINE' { 'no answer in time' }
        default { "$($missing.cause) $($missing.reason)" }
    }
    if ($null -ne $missing.since_unix_ns) {
        $since = [DateTimeOffset]::FromUnixTimeMilliseconds([long]($missing.since_unix_ns / 1000000)).UtcDateTime.ToString('u')
        $what += ", heard last at $since"
    }
    Write-Warning "$($missing.site)/$($missing.cluster): $what"
}
exit $LASTEXITCODE
