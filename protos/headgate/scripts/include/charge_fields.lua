-- Fields of `charges.STORED`, by the names of caller and connection.

local function charge_fields(caller, connection)
  return {
    'jobs caller:' .. caller, 'bytes caller:' .. caller,
    'jobs connection:' .. connection, 'bytes connection:' .. connection,
  }
end
