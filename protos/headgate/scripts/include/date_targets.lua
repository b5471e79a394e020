-- The targets whose dates a job holds or wants: one, and a second where the connection has another name.

local function date_targets(dates, line, wants, other_dates, other_line, other_wants)
  local targets = {{dates = dates, line = line, wants = wants}}
  if other_dates ~= dates then
    targets[2] = {dates = other_dates, line = other_line, wants = other_wants}
  end
  return targets
end
